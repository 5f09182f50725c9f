from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mbti_audio.modality import AudioModality
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Role, RowKind, State
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds


@dataclass(frozen=True)
class WavesColumn:
    """Sounds in memory."""

    waves: Waves

    def __len__(self) -> int:
        return len(self.waves)

    def take(self, rows: Tensor) -> Waves:
        return AudioModality().select(self.waves, rows)


@pytest.fixture
def waves_of() -> Callable[..., Waves]:
    """Make noise of some lengths at a rate, as loud as speech, on levels of 16 bits."""

    def make(lengths: list[int], rate: int = 16000, loudness: float = 0.05) -> Waves:
        index = torch.arange(len(lengths))
        wave = Draws(3).stream("sounds").normal(index, (max(lengths, default=0),)) * loudness
        levels = (wave * 32768).round().clamp(-32768, 32767) / 32768
        batch = Waves(levels, torch.tensor(lengths, dtype=torch.int64), rate)
        return batch.with_wave(levels)

    return make


@pytest.fixture
def split_of() -> Callable[..., Split[Waves]]:
    """Make a split of sounds and labels; training ids unless others are given."""

    def make(waves: Waves, labels: list[int], ids: list[int] | None = None) -> Split[Waves]:
        y = torch.tensor(labels)
        index = torch.arange(len(labels)) if ids is None else torch.tensor(ids)
        return Split(WavesColumn(waves), y, y, clean_kinds(len(labels)), index, AudioModality())

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
