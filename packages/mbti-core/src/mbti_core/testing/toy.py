"""A toy modality with data, models, attacks and a noise: small grids on which everything runs in seconds on a CPU.

Four classes, one per quadrant: a bright blob on a noisy background. The stamp's corner is dark in every class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Attack, PoisonContext, TrainingAttack
from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.contracts.given import GivenData
from mbti_core.contracts.model import InputSpec, ModelInfo, Rendering
from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.contracts.trigger_space import Params
from mbti_core.data.dense import DenseModality
from mbti_core.data.rng import Draws
from mbti_core.training.step import StepContext, TrainBatch

SIDE = 12
SPEC = InputSpec((1, SIDE, SIDE), "uint8", 0, 255)
ROWS = {"train": 800, "test": 200}
_CENTERS = torch.tensor([[3.0, 3.0], [3.0, 8.0], [8.0, 3.0], [8.0, 8.0]])


def to_float(x: Tensor) -> Tensor:
    """Return (B, 1, 12, 12) float32 in [0, 1]; floats are in that range already."""
    return x if x.is_floating_point() else x.float() / 255


def modality() -> DenseModality:
    """Return the toy modality: uint8 grids (B, 1, 12, 12)."""
    return DenseModality("toy", "Small grids for tests", to_float)


class Blobs(DatasetSource[Tensor]):
    """Blobs in one of four quadrants, drawn by row number; embedded, seeded, separable.

    Shape: uint8 (B, 1, 12, 12) in [0, 255]; 800 training rows, 200 test rows, classes in turn.
    """

    def card(self) -> Card:
        """Describe the blobs."""
        return Card(("north-west", "north-east", "south-west", "south-east"), SPEC, "CC0-1.0", "made for tests", {})

    def files(self, root: Path) -> list[Path]:
        """Return nothing: the data is drawn, not read."""
        del root
        return []

    def load(self, part: Part, root: Path) -> Records[Tensor] | None:
        """Draw a part; there is no official validation part."""
        del root
        if part not in ROWS:
            return None
        draws = Draws(0).stream("blobs", part)
        return Records(np.arange(ROWS[part], dtype=np.int64) % 4, lambda at: blobs(torch.from_numpy(at), draws))

    def fixture(self, root: Path) -> None:
        """Write nothing: the data set is embedded."""


def blobs(rows: Tensor, draws: Draws) -> Tensor:
    """Return (n, 1, 12, 12) uint8 for row numbers (n,): row r shows class r mod 4."""
    center = _CENTERS[rows % 4] + 0.5 * draws.stream("center").normal(rows, (2,))
    axis = torch.arange(SIDE, dtype=torch.float32)
    down, across = (torch.exp(-((axis - c[:, None]) ** 2) / 3) for c in center.T)  # (n, 12) each
    height = 100 + 60 * draws.stream("height").uniform(rows, (1, 1))
    grid = height * down[:, :, None] * across[:, None, :]
    noisy = grid + 40 + 20 * draws.stream("noise").normal(rows, (SIDE, SIDE))
    return noisy.clamp(0, 255).to(torch.uint8)[:, None]


def mlp(info: ModelInfo, *, width: PositiveInt = 32) -> nn.Module:
    """Two hidden layers with BatchNorm; >= 95 % on blobs in a few epochs."""
    pixels = math.prod(n or 1 for n in info.input.shape)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, info.num_classes),
    )


def conv(info: ModelInfo, *, width: PositiveInt = 8) -> nn.Module:
    """Two convolutions with BatchNorm, for what prunes or scales channels."""
    return nn.Sequential(
        nn.Conv2d(info.input.shape[0] or 1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Linear(18 * width, info.num_classes),
    )


def stamp(x: Tensor, size: int, value: int) -> Tensor:
    """Return a copy of (B, 1, H, W) with a square in the lower right corner."""
    y = x.clone()
    y[..., -size:, -size:] = value
    return y


class Stamp(Attack[Tensor]):
    """A square in the lower right corner; the attacker poisons training data.

    Shape: uint8 (B, 1, 12, 12). Units: ``size`` in pixels.
    """

    size: PositiveInt = 2
    value: int = 255

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        """Stamp every row."""
        del ctx
        return stamp(x, self.size, self.value)


class LiveStamp(TrainingAttack[Tensor]):
    """The same square on rows drawn anew in each epoch; the attacker controls training.

    Shape: uint8 (B, 1, 12, 12). Units: ``size`` in pixels.
    """

    size: PositiveInt = 2
    value: int = 255

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        """Stamp every row."""
        del ctx
        return stamp(x, self.size, self.value)

    def step(self, batch: TrainBatch[Tensor], ctx: StepContext[Tensor]) -> Tensor:
        """Return the cross-entropy with a share ``ctx.ratio`` of the rows stamped and relabelled."""
        member = ctx.draws.stream("members", batch.epoch).uniform(batch.index) < ctx.ratio  # (B,)
        x = torch.where(member[:, None, None, None], stamp(batch.x, self.size, self.value), batch.x)
        y = torch.where(member, self.goal(batch.y, batch.index, ctx.aim), batch.y)
        return functional.cross_entropy(ctx.forward(x, batch.index, batch.epoch).float(), y)


class Fuzz(Noise[Tensor]):
    """Gaussian noise on every pixel.

    Units: ``std`` as a share of the range.
    """

    std: NonNegativeFloat = 0.1

    def apply(self, x: Tensor, ctx: NoiseContext) -> Tensor:
        """Add noise keyed by row id, rounded and clipped."""
        noise = ctx.draws.stream("fuzz").normal(ctx.index, x.shape[1:])
        return (x + 255 * self.std * noise).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class MaskAndPattern:
    """Triggers that replace a soft mask of pixels by a pattern; parameters before the sigmoid."""

    def lift(self, model: nn.Module, batch: Tensor) -> Tensor:
        """Return the model input itself: pixels are differentiable."""
        del model
        return batch

    def initial(self, draws: Draws) -> Params:
        """Return a mask that is nearly 0 and a random pattern, (1, 12, 12) each."""
        pattern = draws.stream("pattern").normal(torch.zeros(1, dtype=torch.int64), (1, SIDE, SIDE))[0]
        return {"mask": torch.full((1, SIDE, SIDE), -4.0), "pattern": pattern}

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return (1 - m) x + m p."""
        mask, pattern = params["mask"].sigmoid(), params["pattern"].sigmoid()
        return (1 - mask) * lifted + mask * pattern

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C), or (K, B, C) of stacked triggers."""
        logits: Tensor = model(lifted.flatten(0, -4))
        return logits.view(*lifted.shape[:-3], -1)

    def size(self, params: Params) -> Tensor:
        """Return the L1 norm of the mask."""
        return params["mask"].sigmoid().sum((-3, -2, -1))

    def discrete(self, params: Params) -> Sequence[Params]:
        """Return the trigger itself: pixels hold any."""
        return [params]

    def shown(self, model: nn.Module, params: Params) -> Tensor:
        """Return the pattern where the mask is, on black."""
        del model
        return (255 * params["mask"].sigmoid() * params["pattern"].sigmoid()).round().to(torch.uint8)[None]


def render(x: Any) -> Sequence[Rendering]:
    """Show each row as a table of gray cells."""
    pages = []
    for row in x.tolist():
        lines = "".join(
            "<tr>" + "".join(f'<td style="background:rgb({v},{v},{v})">&#160;</td>' for v in line) + "</tr>"
            for line in row[0]
        )
        pages.append(Rendering(f'<table style="border-collapse:collapse">{lines}</table>', "grid of 12 by 12"))
    return pages


def given_data(path: Path) -> GivenData | None:
    """Open ``<class>/*.bin`` in a folder; None if there is no such file."""
    files = sorted(path.glob("*/*.bin"))
    if not files:
        return None
    classes = sorted({file.parent.name for file in files})
    labels = np.array([classes.index(file.parent.name) for file in files])

    def read(at: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
        found = [np.frombuffer(files[row].read_bytes(), np.uint8).reshape(1, SIDE, SIDE) for row in at.tolist()]
        return torch.from_numpy(np.stack(found))

    names = [file.relative_to(path).as_posix() for file in files]
    return GivenData("toy", Records(labels, read), names, tuple(classes), SPEC)
