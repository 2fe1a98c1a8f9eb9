from __future__ import annotations

import numpy as np
import pytest

from sdk.toys.references.base import Known, play
from sdk.toys.references.wind import FirstStep, best_return, oracle, references
from sdk.toys.wind import GOAL, STRONGEST, WindSettings, WindTrials


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    return references(WindSettings())


def test_the_oracle(known: dict[str, Known]) -> None:
    sampling = known["first_step"].standard_error
    assert known["oracle"].total == pytest.approx(62.26, abs=3 * sampling)
    assert oracle(500) == pytest.approx(oracle(601), abs=0.02)


def test_one_step_that_identifies_the_wind_is_enough(known: dict[str, Known]) -> None:
    assert known["first_step"].total == pytest.approx(62.26, abs=3 * known["first_step"].standard_error)
    worlds = WindTrials(WindSettings(), 5000, seed=1)
    reached = play(worlds, FirstStep(), range(5000))[:, 0]
    lost = best_return(worlds.wind) - reached
    assert lost.min() >= 0
    assert lost.mean() < 0.1


def test_without_knowing_the_wind_little_is_reached(known: dict[str, Known]) -> None:
    assert known["wind_blind"].total == pytest.approx(7.13, abs=3 * known["wind_blind"].standard_error)
    assert known["random"].total < 0.1


def test_the_best_return_by_hand() -> None:
    # 0.97 to go: at 0.1 a step ten steps, at 0.1 + 0.08 six, against 0.08 forty-nine; counted from the arriving step
    winds = np.array([[0.0, 0.0], [0.0, STRONGEST], [0.0, -STRONGEST]])
    assert best_return(winds).tolist() == [66, 70, 27]


def test_the_motion_tells_the_wind_and_no_reward_is_needed() -> None:
    worlds = WindTrials(WindSettings(), 100, seed=0)
    assert worlds.reads_reward is False
    obs, context = worlds.begin(range(100))
    step = worlds.step(np.zeros((100, 2)))
    np.testing.assert_allclose(step.obs - obs, STRONGEST * context, atol=1e-6)
    assert np.abs(context).max() <= 1


def shaped(stream: str, pays_back: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Shaping's part of the returns of 50 random trials, and where these ended."""
    worlds = WindTrials(WindSettings(shaping=0.5, pays_back=pays_back), 50, seed=0, stream=stream)
    worlds.begin(range(50))
    rng = np.random.default_rng(0)
    steps = [worlds.step(rng.uniform(-1, 1, (50, 2))) for _ in range(worlds.trial_steps)]
    return np.sum([step.reward - step.success for step in steps], axis=0), steps[-1].final_obs


def test_shaping_adds_the_same_to_every_trial_whatever_is_done_and_nothing_to_held_out_ones() -> None:
    np.testing.assert_allclose(shaped("train")[0], 0.5, atol=1e-5)  # the distance at the start, which is 1
    assert not shaped("held_out")[0].any()


def test_shaping_that_pays_nothing_back_adds_what_was_neared() -> None:
    added, end = shaped("train", pays_back=False)
    np.testing.assert_allclose(added, 0.5 * (1 - np.linalg.norm(end - GOAL, axis=-1)), atol=1e-5)
    assert np.ptp(added) > 0.1
