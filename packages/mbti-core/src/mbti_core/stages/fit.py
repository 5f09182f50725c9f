"""Let an attack learn or draw its trigger, once for every poison ratio."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, FitContext
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.stages.poison import select
from mbti_core.training.subject import Subject


def fits(attack: Attack[Any]) -> bool:
    """Whether an attack has a ``fit`` of its own."""
    return type(attack).fit is not Attack.fit


def fit(
    attack: Attack[Any],
    split: Split[Any],
    aim: Aim,
    seed: int,
    device: torch.device,
    surrogate: Subject | None = None,
    ratio: float | None = None,
) -> dict[str, Tensor]:
    """Return what the attack's trigger needs, tensors by name; with a ratio, ``fit`` knows the rows it will poison."""
    draws = Draws(seed).stream("fit")
    chosen = None if ratio is None else select(split, attack, aim, ratio, seed)
    with scoped_globals(draws.stream("globals").seed):
        return attack.fit(split, FitContext(aim, draws, device, surrogate, chosen))
