"""Demonstrations from files: what an expert saw and did in a world, whoever it was.

A file is a recording of the robot (NPZ or MCAP), a published log of it, or an `.npz` with the arrays `obs` `[M, O]` and
`action` `[M, A]`, as the policy reads and puts them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from domain_rand.schema import ConfigError
from robots.spec import load_robot
from sdk.offdynamics.target_data import check_columns, read_rows
from sdk.rl.shown_rows import Shown

if TYPE_CHECKING:
    from sdk.config import TrainConfig


def read_demonstrations(config: TrainConfig, paths: Sequence[str], obs: int, action: int) -> list[Shown]:
    """Return what the files show of worlds 0, 1, …, one file or folder each.

    Raises `ConfigError` naming the file for one of other widths, or when there are not as many as worlds.
    """
    if len(paths) != config.worlds:
        raise ConfigError(
            f"method.demonstrations: {len(paths)} files or folders, one for each world of the run, and worlds is "
            f"{config.worlds}; set worlds={len(paths)}"
        )
    shown = [_read(config, Path(path)) for path in paths]
    for path, rows in zip(paths, shown, strict=True):
        widths = {"obs": obs, "action": action}
        check_columns({"obs": rows.obs, "action": rows.action}, widths, f"method.demonstrations: {path}")
    return shown


def _read(config: TrainConfig, path: Path) -> Shown:
    if path.suffix == ".npz" and path.is_file():
        arrays = _arrays(path)
        if "obs" in arrays or "action" in arrays or config.robot is None:
            return _of_arrays(arrays, path)
    if config.robot is None:
        raise ConfigError(f"method.demonstrations: {path}: no .npz file with obs and action, as a toy's are")
    rows = read_rows([path], load_robot(config.robot, config.task)[0].contract)
    return _shown(rows.obs, rows.action)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise ConfigError(f"method.demonstrations: {path}: not an .npz archive ({error})") from None


def _of_arrays(arrays: dict[str, np.ndarray], path: Path) -> Shown:
    missing = [name for name in ("obs", "action") if name not in arrays]
    if missing:
        raise ConfigError(f"method.demonstrations: {path}: no array {' or '.join(missing)}; it has {list(arrays)}")
    if len(arrays["obs"]) != len(arrays["action"]) or not len(arrays["obs"]):
        lengths = f"{len(arrays['obs'])} rows of obs and {len(arrays['action'])} of action"
        raise ConfigError(f"method.demonstrations: {path}: {lengths}; as many of both are needed, and at least one")
    obs, action = (torch.from_numpy(np.asarray(arrays[name], np.float32)) for name in ("obs", "action"))
    return _shown(obs, action)


def _shown(obs: torch.Tensor, action: torch.Tensor) -> Shown:
    return Shown(obs, torch.empty(len(obs), 0), action)
