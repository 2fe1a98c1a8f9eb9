"""Films are GIFs of what the robot did, whoever plays it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain_rand.schema import ConfigError
from sdk.evaluate import evaluate_run
from sdk.play import bundle_player, film, frame_count, random_player, run_player
from sdk.ship import export_run
from tests.sdk.tiny_runs import tiny


def test_a_film_has_the_pictures_and_the_pace_it_should(tmp_path: Path) -> None:
    taken: list[int] = []
    facts = film("servo_arm", random_player(0), tmp_path / "a" / "film.gif", seconds=0.4, width=96, report=taken.append)
    with Image.open(tmp_path / "a" / "film.gif") as picture:
        assert (getattr(picture, "n_frames", 1), picture.size) == (facts["frames"], (96, 72))
        shown = picture.info["duration"] / 1000 * facts["frames"]
    assert shown == pytest.approx(0.4, abs=0.05)
    assert taken == list(range(1, frame_count("servo_arm", None, 0.4) + 1))


def test_a_seed_s_film_is_always_the_same(tmp_path: Path) -> None:
    files = [tmp_path / "a.gif", tmp_path / "b.gif"]
    for file in files:
        film("cartpole", random_player(3), file, seconds=0.3, seed=3, width=64)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_no_film_is_refused_before_it_is_played(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"film\.mp4: ends in '\.mp4'; valid: \.gif"):
        film("servo_arm", random_player(0), tmp_path / "film.mp4", seconds=0.1, report=lambda _: pytest.fail("played"))


def test_a_run_and_its_bundle_play_alike_and_as_evaluated(finished: Path, tmp_path: Path) -> None:
    export_run(finished, tmp_path / "bundle", worlds=2)
    seconds = 2.0 * 3  # one trial: three episodes
    options: dict[str, Any] = {"seconds": seconds, "width": 64}
    by_run = film("servo_arm", run_player(finished), tmp_path / "run.gif", **options)
    by_bundle = film("servo_arm", bundle_player(tmp_path / "bundle"), tmp_path / "bundle.gif", **options)
    assert by_run["return"] == pytest.approx(by_bundle["return"], rel=1e-3)
    evaluated = evaluate_run(finished, 2, seed=0).returns[0]
    assert by_run["return"] == pytest.approx(float(evaluated), rel=1e-3)


def test_a_bundle_of_another_robot_is_refused(finished: Path, tmp_path: Path) -> None:
    export_run(finished, tmp_path / "bundle", worlds=2)
    with pytest.raises(ConfigError, match="is for another contract than that of cartpole"):
        film("cartpole", bundle_player(tmp_path / "bundle"), tmp_path / "film.gif", seconds=0.1)


def test_a_run_is_filmed_in_its_own_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from sdk import cli
    from sdk.train import train

    train(tiny("robust", "robot=ant", "task=hidden_direction", "steps=8", "trials=1", "robots=1"), tmp_path / "run")
    film_of = ["play", "ant", "--run", str(tmp_path / "run"), "-o", str(tmp_path / "run.gif"), "--seconds", "0.1"]
    monkeypatch.setattr("sys.argv", ["simshift", *film_of, "--width", "64", "--json"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capfd.readouterr()
    assert stop.value.code in (0, None), printed.err
    # the default task commands a direction, and a policy that never read one cannot be played in it
    assert list(json.loads(printed.out)["params"]) == ["goal_heading"]


def test_the_commands_print_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from sdk import cli

    def run(*arguments: str) -> tuple[int, Any]:
        monkeypatch.setattr("sys.argv", ["simshift", *arguments, "--json"])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0), json.loads(capfd.readouterr().out)

    code, facts = run("play", "servo_arm", "-o", str(tmp_path / "film.gif"), "--seconds", "0.2", "--width", "64")
    assert (code, facts["frames"]) == (0, 5)
    code, facts = run("doctor", "cartpole")
    assert (code, facts["healthy"]) == (0, True)
    urdf = Path(cli.__file__).parents[1] / "robots/servo_arm/servo_arm.urdf"
    code, facts = run("new", "robot", "my_arm", "--urdf", str(urdf), "--to", str(tmp_path))
    assert (code, facts["healthy"], facts["folder"]) == (0, True, str(tmp_path / "my_arm"))
    text = (tmp_path / "my_arm/servo_arm.urdf").read_text()
    (tmp_path / "my_arm/servo_arm.urdf").write_text(text.replace('izz="0.00004"', 'izz="0.1"'))
    code, facts = run("doctor", str(tmp_path / "my_arm"))
    assert (code, facts["healthy"]) == (1, False)
