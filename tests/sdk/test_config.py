from __future__ import annotations

from pathlib import Path

import pytest

from domain_rand.schema import ConfigError
from sdk.algos.base import algorithm_names
from sdk.config import CONFIGS, TrainConfig, resolve_config


def test_every_algorithm_has_defaults_and_the_other_way_round() -> None:
    assert algorithm_names() == sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    for name in algorithm_names():
        assert resolve_config(name).algo == name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ppo.lrr=1", r"unknown key 'ppo\.lrr'; did you mean 'lr'\?"),
        ("step=5", r"unknown key 'step'; did you mean 'steps'\?"),
        ("policy.hiden=[8]", r"unknown key 'policy\.hiden'; did you mean 'hidden'\?"),
        ("ppo.lr=fast", r"'ppo\.lr' is 'fast'"),
        ("ppo.lr=-1", r"'ppo\.lr' is -1: .*greater than 0"),
        ("ppo.gamma=1", r"'ppo\.gamma' is 1: .*less than 1"),
        ("trials=2.5", r"'trials' is 2\.5"),
        ("trials=0", r"'trials' is 0"),
        ("ppo.lr=.nan", r"'ppo\.lr' is nan"),
        ("ppo", r"override 'ppo': expected key\.subkey=value"),
        ("algo=robust", r"asked to train 'rl2', but the settings say algo: robust"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_valid(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_config("rl2", None, [override])


def test_an_unknown_algorithm_names_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown algorithm 'rl3'; did you mean 'rl2'\? valid: .*oracle, .*rl2, .*robust"
    ):
        resolve_config("rl3")


def test_overrides_are_read_as_the_types_they_set() -> None:
    config = resolve_config("rl2", None, ["ppo.lr=0.5", "ppo.bptt=null", "policy.hidden=[8, 4]", "seed=7"])
    assert (config.ppo.lr, config.ppo.bptt, config.policy.hidden, config.seed) == (0.5, None, (8, 4), 7)


def test_a_file_goes_over_the_defaults_and_overrides_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\nppo: {lr: 0.5, epochs: 9}\n")
    config, default = resolve_config("rl2", file, ["ppo.epochs=2"]), resolve_config("rl2")
    assert (config.seed, config.ppo.lr, config.ppo.epochs) == (3, 0.5, 2)
    assert config.ppo.bptt == default.ppo.bptt == 50  # the algorithm's own, beside the file's keys of that section
    assert config.steps == default.steps


def test_a_wrong_key_in_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sede: 3\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: unknown key 'sede'; did you mean 'seed'\?"):
        resolve_config("rl2", file)


def test_a_wrong_override_is_not_said_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\n")
    with pytest.raises(ConfigError, match=r"^--set: unknown key 'ppo\.lrr'; did you mean 'lr'\?"):
        resolve_config("rl2", file, ["ppo.lrr=1"])
    file.write_text("sede: 3\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: unknown key 'sede'"):
        resolve_config("rl2", file, ["ppo.lr=1"])


def test_another_algorithm_s_configuration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(resolve_config("robust").to_yaml())
    with pytest.raises(ConfigError, match="asked to train 'rl2', but the settings say algo: robust"):
        resolve_config("rl2", file)


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = resolve_config("rl2", None, ["ppo.lr=0.1234567890123", "policy.hidden=[8]"])
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    assert TrainConfig.load(tmp_path / "config.yaml") == config
