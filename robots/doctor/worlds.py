"""Whether the randomisation does what it says, and whether readings stay in their declared ranges."""

from __future__ import annotations

import numpy as np

from domain_rand.randomizer import Entry
from robots.doctor.patient import Patient
from robots.doctor.report import Notes
from robots.robot_env import RobotEnv

STEPS = 60
"""Control steps of the episodes that are compared."""

DIFFERENT = 1e-6
"""Smallest difference between two simulations that counts: equal ones are equal to the last bit."""

WORLDS, PLAYED = 4, 100
"""Worlds and control steps in which readings are watched."""


def randomization(patient: Patient) -> Notes:
    """Simulate each parameter's two extremes: what happens must differ, and the values must be read back."""
    notes, env = Notes(), patient.env
    source = str(patient.spec.folder / "randomization.yaml" if patient.spec.folder else "randomization.yaml")
    parameters = env.randomization.parameters
    typical = {name: entry.draw.quantile(0.9) for name, entry in parameters.items()}
    for name, entry in parameters.items():
        where = f"{source}: parameters.{name}"
        try:
            _compare(notes, env, where, name, entry, typical)
        except (ValueError, RuntimeError) as error:
            notes.wrong(where, str(error), "narrow the range or mend the selection")
    notes.note = f"{len(parameters)} parameters, low against high"
    return notes


def _compare(notes: Notes, env: RobotEnv, where: str, name: str, entry: Entry, typical: dict[str, float]) -> None:
    low, high = extremes(entry)
    a, b = (_episode(env, typical | {name: value}) for value in (low, high))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        notes.wrong(where, f"at {low:.4g} or {high:.4g} the simulation is not finite", "narrow the range")
    elif np.abs(a - b).max() < DIFFERENT:
        message = f"{low:.4g} and {high:.4g} give the same motion"
        notes.wrong(where, message, "check select, and what else it needs (a stiffness, an interval, contact)")


def extremes(entry: Entry) -> tuple[float, float]:
    """Return the lowest and highest value of an entry; far quantiles where it has no ends."""
    low, high = entry.draw.support
    return (
        low if np.isfinite(low) else entry.draw.quantile(0.001),
        high if np.isfinite(high) else entry.draw.quantile(0.999),
    )


def _episode(env: RobotEnv, params: dict[str, float]) -> np.ndarray:
    """Everything that is seen in one episode of one world: observations, joints and base, `[steps + 1, …]`."""
    observation, _ = env.reset(seed=0, options={"world": 0, "params": params})
    rows = [_row(env, observation)]
    for step in range(STEPS):
        observation, _, terminated, truncated, _ = env.step(_swing(env, step))
        rows.append(_row(env, observation))
        if terminated or truncated:
            break
    rows += [rows[-1]] * (STEPS + 1 - len(rows))
    return np.array(rows)


def _row(env: RobotEnv, observation: np.ndarray) -> list[float]:
    world = env.robot.world
    return [*observation.tolist(), *world.joint_pos, *world.joint_vel, *world.base_state().pos_world]


def _swing(env: RobotEnv, step: int) -> np.ndarray:
    """A motion that reverses and fades, each joint in its own rhythm: it meets delay, dead band and friction."""
    joints = np.arange(env.action_space.shape[0])  # type: ignore[index]
    return (0.9 * (step % 20) / 20 * np.sin(0.25 * step * (1 + 0.1 * joints))).astype(np.float32)


def signals(patient: Patient) -> Notes:
    """Play at random in a few worlds: every reading must lie in the range that the contract declares."""
    notes, env = Notes(), patient.env
    rng = np.random.default_rng(0)
    seen = np.concatenate([_play(env, rng, world) for world in range(WORLDS)])
    for signal in patient.spec.contract.signals:
        columns = seen[:, patient.spec.contract.signal_slices[signal.name]]
        low, high = float(columns.min()), float(columns.max())
        where = f"{patient.source}: signal {signal.name}"
        if low < signal.low or high > signal.high:
            message = f"read {low:.4g} to {high:.4g}, declared {signal.low:g} to {signal.high:g}"
            notes.wrong(where, message, "widen low and high: the robot refuses readings outside")
        elif signal.high >= 1e6 or signal.low <= -1e6:
            notes.warn(where, f"no range is declared; seen {low:.3g} to {high:.3g}", "declare low and high")
    notes.note = f"{len(seen)} readings in {WORLDS} worlds"
    return notes


def _play(env: RobotEnv, rng: np.random.Generator, world: int) -> np.ndarray:
    """Observations of random play: half of it jittery, half at the ends of the range."""
    rows = [env.reset(seed=1, options={"world": world})[0]]
    action = np.zeros(env.action_space.shape or (), dtype=np.float32)
    for step in range(PLAYED):
        fresh = rng.uniform(-1, 1, action.shape).astype(np.float32)
        if world % 2 == 0:
            action = fresh
        elif step % 10 == 0:
            action = np.sign(fresh)
        observation, _, terminated, truncated, _ = env.step(action)
        rows.append(observation)
        if terminated or truncated:
            rows.append(env.begin_episode(step))
    return np.array(rows)
