from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Role, RowKind, State
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_text.modality import TextModality


@dataclass(frozen=True)
class ListColumn:
    """Texts in memory."""

    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Tensor) -> list[str]:
        return [self.texts[row] for row in rows.tolist()]


@pytest.fixture
def split_of() -> Callable[..., Split[list[str]]]:
    """Make a split of texts and labels; training ids unless others are given."""

    def make(texts: Sequence[str], labels: Sequence[int], ids: Sequence[int] | None = None) -> Split[list[str]]:
        y = torch.tensor(labels)
        index = torch.arange(len(texts)) if ids is None else torch.tensor(ids)
        return Split(ListColumn(texts), y, y, clean_kinds(len(texts)), index, TextModality())

    return make


@pytest.fixture
def context_of() -> Callable[..., PoisonContext]:
    """Make what ``poison`` knows of rows by id."""

    def make(
        index: Tensor, state: State | None = None, role: Role = "train", seed: int = 7, target: int = 0
    ) -> PoisonContext:
        kind = torch.full((len(index),), int(RowKind.POISONED), dtype=torch.uint8)
        y, goal = torch.ones_like(index), torch.full_like(index, target)
        return PoisonContext(index, y, goal, kind, role, Aim(target, 2), Draws(seed), state or {})

    return make


@pytest.fixture
def fit_context() -> FitContext:
    return FitContext(Aim(0, 2), Draws(7), torch.device("cpu"))


@pytest.fixture
def real_root() -> Path:
    root = os.environ.get("MBTI_DATA")
    if not root:
        pytest.skip("MBTI_DATA names no folder with real data")
    return Path(root)
