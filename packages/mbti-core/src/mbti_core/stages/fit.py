"""Let an attack learn or draw its trigger, once for every poison ratio."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, FitContext
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.training.subject import Subject


def fits(attack: Attack[Any]) -> bool:
    """Whether an attack has a ``fit`` of its own."""
    return type(attack).fit is not Attack.fit


def fit(
    attack: Attack[Any], split: Split[Any], aim: Aim, seed: int, device: torch.device, surrogate: Subject | None = None
) -> dict[str, Tensor]:
    """Return what the attack's trigger needs, tensors by name."""
    draws = Draws(seed).stream("fit")
    with scoped_globals(draws.stream("globals").seed):
        return attack.fit(split, FitContext(aim, draws, device, surrogate))
