"""Weights from outside: safetensors, or a state dict that torch can read without running code."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mbti_core.errors import DataFormatError


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a ``.safetensors`` or torch file, or from a folder that holds one.

    In a folder, ``weights.safetensors`` comes before ``model.safetensors``.

    Raises:
        DataFormatError: If there is no such file, it is damaged, or reading it would run code.
    """
    if path.is_dir():
        found = [path / name for name in ("weights.safetensors", "model.safetensors") if (path / name).is_file()]
        if not found:
            raise DataFormatError(
                f"{path}: expected weights.safetensors or model.safetensors, found neither.",
                "Give the file itself as model.weights.",
            )
        path = found[0]
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataFormatError(
            f"{path}: expected a state dict that can be read without running code; {why}",
            "Save it again with safetensors.torch.save_file(model.state_dict(), 'weights.safetensors').",
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DataFormatError(
            f"{path}: expected a mapping from names to tensors, found {type(state).__name__}.",
            "Save model.state_dict() and not the model.",
        )
    return state
