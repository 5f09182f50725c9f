from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.plugins.manager import Registry
from mbti_core.testing.bench import Bench
from mbti_core.training.step import StepContext
from mbti_core.training.subject import Subject
from mbti_image.modality import modality, to_float


@pytest.fixture
def images() -> torch.Tensor:
    """Fifty random pictures of 32 pixels."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (50, 3, 32, 32), dtype=np.uint8))


@pytest.fixture
def split(images: torch.Tensor) -> Split[torch.Tensor]:
    n = len(images)
    y, index = torch.arange(n) % 10, 1000 + 3 * torch.arange(n)
    return Split(ArrayColumn(images.numpy()), y, y, clean_kinds(n), index, modality())


@pytest.fixture
def fit_context() -> FitContext:
    return FitContext(Aim(0, 10), Draws(7), torch.device("cpu"))


@pytest.fixture
def context_of() -> Callable[..., PoisonContext]:
    def make(index: torch.Tensor, state: dict[str, torch.Tensor], kind: RowKind = RowKind.POISONED) -> PoisonContext:
        kinds = torch.full((len(index),), int(kind), dtype=torch.uint8)
        return PoisonContext(index, index % 10, torch.zeros_like(index), kinds, "train", Aim(0, 10), Draws(7), state)

    return make


@pytest.fixture
def step_context_of() -> Callable[..., StepContext[Any]]:
    """A training step around a model (or one that sees nothing), without augmentation, in full precision."""

    def make(
        model: nn.Module,
        beside: nn.Module | None = None,
        state: dict[str, torch.Tensor] | None = None,
        ratio: float = 0.1,
        seen: list[torch.Tensor] | None = None,
    ) -> StepContext[Any]:
        def logits(x: torch.Tensor) -> torch.Tensor:
            if seen is not None:
                seen.append(x)
            if isinstance(model, nn.Identity):
                return Draws(3).normal(torch.arange(len(x)), (10,))
            found: torch.Tensor = model(to_float(x))
            return found

        return StepContext(
            model, beside, lambda x, index, epoch: x, logits, nullcontext, 0.0, Aim(0, 10), ratio, Draws(7), state or {}
        )

    return make


@pytest.fixture(scope="session")
def digits() -> tuple[Split[torch.Tensor], Subject]:
    """A thousand handwritten digits, and the benign twin of a victim that is trained on them."""
    bench = Bench(Registry(), "image")
    return bench.data.parts["train"], bench.smallest.load(bench.benign().weights)


@pytest.fixture
def real_root() -> Path:
    root = os.environ.get("MBTI_DATA")
    if not root:
        pytest.skip("MBTI_DATA names no folder with real data")
    return Path(root)
