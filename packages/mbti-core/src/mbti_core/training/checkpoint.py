"""A checkpoint per epoch: a killed run goes on at the last complete one, bit for bit."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mbti_core.engine.store import CHECKPOINT

# Draws are counter-based, so weights, optimizer and curves are all the state there is.


def save_checkpoint(
    folder: Path,
    epoch: int,
    modules: dict[str, nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
    history: dict[str, list[float]],
) -> None:
    """Write the state after ``epoch`` complete epochs, then drop the older one; a kill always leaves one whole."""
    part = folder / f".{CHECKPOINT}{epoch}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, module in modules.items():
        save_file(
            {k: v.detach().cpu().contiguous().clone() for k, v in module.state_dict().items()},
            part / f"{name}.safetensors",
        )
    flat = [_flatten(optimizer.state_dict()) for optimizer in optimizers]
    for at, (tensors, _) in enumerate(flat):
        save_file(tensors, part / f"optimizer{at}.safetensors")
    state = {"optimizers": [plain for _, plain in flat], "history": history}
    (part / "state.json").write_text(json.dumps(state), encoding="utf-8")
    for file in part.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    part.rename(folder / f"{CHECKPOINT}{epoch}")
    for old in _checkpoints(folder)[:-1]:
        shutil.rmtree(folder / f"{CHECKPOINT}{old}")


def _checkpoints(folder: Path) -> list[int]:
    return sorted(int(p.name.removeprefix(CHECKPOINT)) for p in folder.glob(f"{CHECKPOINT}*"))


def load_checkpoint(
    folder: Path, modules: dict[str, nn.Module], optimizers: Sequence[torch.optim.Optimizer]
) -> tuple[int, dict[str, list[float]]]:
    """Load the newest checkpoint into modules and optimizer; return complete epochs and curves, (0, {}) without one."""
    found = _checkpoints(folder)
    if not found:
        return 0, {}
    newest = folder / f"{CHECKPOINT}{found[-1]}"
    for name, module in modules.items():
        module.load_state_dict(load_file(newest / f"{name}.safetensors"))
    state = json.loads((newest / "state.json").read_text(encoding="utf-8"))
    for at, (optimizer, plain) in enumerate(zip(optimizers, state["optimizers"], strict=True)):
        optimizer.load_state_dict(_unflatten(load_file(newest / f"optimizer{at}.safetensors"), plain))
        for parameter, slots in optimizer.state.items():
            for name, value in slots.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    slots[name] = torch.empty_like(parameter).copy_(value)  # in its layout, or steps are slower
    return found[-1], state["history"]


def _flatten(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{name}"] = value.detach().cpu().contiguous().clone()
            else:
                plain.setdefault(str(parameter), {})[name] = value
    return tensors, {"plain": plain, "groups": state["param_groups"]}


def _unflatten(tensors: dict[str, Tensor], plain: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        parameter, _, slot = name.partition(".")
        state.setdefault(int(parameter), {})[slot] = value
    for number, values in plain["plain"].items():
        state.setdefault(int(number), {}).update(values)
    return {"state": state, "param_groups": plain["groups"]}
