"""What reads the true context plays the twin's trials, and is told what changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from robots.robot_env import RobotEnv
from sdk.evaluate import evaluate_run
from sdk.in_process import play_in_process
from sdk.nn.policies import MlpPolicy
from sdk.through_twin import HeldOut
from sdk.train import train
from tests.sdk.tiny_runs import tiny

WHERE = HeldOut("servo_arm", worlds=3, seed=0, effect="cable")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "oracle"
    train(tiny("oracle"), folder)
    return folder


def test_it_is_the_evaluation_of_a_run_with_a_score_by_time(run: Path) -> None:
    heard: list[int] = []
    here = play_in_process(run, WHERE, heard.append)
    expected = evaluate_run(run, 3, seed=0, effect="cable")
    assert here.per_episode == pytest.approx(expected.per_episode, rel=1e-3)
    assert np.array_equal(here.success, expected.success)
    assert here.per_slot is not None
    assert here.per_slot.sum(1) == pytest.approx(here.returns)
    assert (here.per_slot.shape, heard) == ((3, 60), [1, 2, 3])


def test_it_is_told_the_parameters_as_they_are(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[torch.Tensor] = []
    bind = MlpPolicy.bind_context
    monkeypatch.setattr(MlpPolicy, "bind_context", lambda self, context: (told.append(context), bind(self, context)))
    faults = tmp_path / "faults.yaml"
    faults.write_text(yaml.safe_dump({"switch": [{"at": 3.0, "params": {"payload_mass": 0.3}}]}))
    play_in_process(run, HeldOut("servo_arm", worlds=1, seed=0, effect="cable", faults=faults))
    env = RobotEnv("servo_arm", stream="held_out")
    which, (_, info) = env.randomization.names.index("payload_mass"), env.reset(seed=0, options={"world": 0})
    env.switch({"payload_mass": 0.3})
    before = torch.from_numpy(info["context"]).expand(151, -1)
    after = torch.from_numpy(env.context.normalized).expand(149, -1)
    env.close()
    assert torch.equal(torch.cat(told), torch.cat([before, after])), "from the step after the switch"
    assert before[0, which] > after[0, which]
