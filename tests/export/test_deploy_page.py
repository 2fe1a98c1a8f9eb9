"""The examples of docs/deploy.md run as they are written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from export.bundle import Bundle
from export.bundle_agent import BundleAgent
from robots.drivers.base import ContractMismatch
from robots.robot_env import RobotEnv

PAGE = Path(__file__).parents[2] / "docs/deploy.md"


@pytest.mark.parametrize("word", ["SwitchablePolicy", "BundleAgent"])
def test_an_example_runs_as_written(word: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if word in block]
    shutil.copytree(folder, tmp_path / "arm.zip")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(PAGE), "exec"), {})


def test_an_agent_acts_as_the_policy_does_through_the_contract(bundle: Bundle) -> None:
    env = RobotEnv("servo_arm")
    agent = BundleAgent(env, bundle)
    obs, _ = env.reset(seed=0)
    sent = []
    for step in range(20):
        action = agent.act(obs, episode_start=step == 0)
        obs, *_ = env.step(action)
        sent.append((agent.policy.last_command["shoulder"], env.robot.limiter.last[0]))
    env.close()
    assert all(abs(a - b) < 1e-5 for a, b in sent)
    assert len({round(a, 3) for a, _ in sent}) > 5


def test_an_environment_of_another_robot_is_refused(bundle: Bundle) -> None:
    env = RobotEnv("cartpole")
    with pytest.raises(ContractMismatch, match="the environment follows contract"):
        BundleAgent(env, bundle)
    env.close()
