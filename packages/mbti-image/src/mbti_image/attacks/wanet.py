"""WaNet: an elastic warp by fractions of a pixel."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind, Selection, TrainingAttack
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_image.sample import Image


class WaNet(TrainingAttack[Image]):
    """Warp images along one smooth field; the attacker controls training and shows jittered warps with true labels.

    In each step a row is triggered and relabelled with probability ``ratio``, warped along a jittered field with its
    own label with probability ``cross_ratio * ratio``, and left clean otherwise. The static form fixes such rows once.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``grid`` float (1, H, W, 2), sampling places (x, y) in [-1, 1].
    Units: ``strength`` 0.5 moves a pixel by 0.18 pixels per axis on average; ``cross_ratio`` counts jittered rows per
    poisoned row.
    Source: Nguyen and Tran 2021, sections 3.2 (warping field) and 3.3 (noise mode).
    Deviates: rows are members by a keyed draw instead of the first of a shuffled batch, so their number varies around
    the ratio; augmentation is the run's own, per row, after the warp; stored pixels are rounded.
    """

    strength: NonNegativeFloat = 0.5
    grid_size: Annotated[int, Field(ge=2)] = 4
    cross_ratio: NonNegativeFloat = 2.0

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Draw the field once: P ~ U(-1, 1) of k x k, divided by mean |P|, enlarged, added to the identity."""
        height, width = split.take(torch.zeros(1, dtype=torch.int64)).shape[-2:]
        coarse = ctx.draws.stream("field").uniform(
            torch.zeros(1, dtype=torch.int64), (2, self.grid_size, self.grid_size)
        )
        coarse = 2 * coarse - 1
        coarse = coarse / coarse.abs().mean()
        field = functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
        down, across = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        identity = torch.stack([across, down], dim=-1)[None]  # (1, H, W, 2), last axis (x, y)
        moved = identity + self.strength * field.permute(0, 2, 3, 1) / torch.tensor([width, height])
        return {"grid": moved.clamp(-1, 1)}

    def choose(self, split: Split[Image], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows to poison, and ``cross_ratio`` times as many others to cover (fewer if there are not enough)."""
        return choose_with_cover(split, self.victims(split.labels, aim), n, self.cross_ratio, draws)

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Every class keeps its label under a jittered warp."""
        del aim
        return y >= 0

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return every row warped; cover rows along the field with a jitter of their own."""
        grid = ctx.state["grid"]
        y = warp(x, grid)
        cover = torch.nonzero(ctx.kind == RowKind.COVER).flatten()
        y[cover] = warp(x[cover], jittered(grid, ctx.index[cover], ctx.draws.stream("jitter")))
        return y

    def step(self, batch: TrainBatch[Image], ctx: StepContext[Image]) -> Tensor:
        """Return the cross-entropy of the batch with this epoch's triggered and jittered rows."""
        grid = ctx.state["grid"]
        hit, cross = members(batch, ctx, 1.0, self.cross_ratio)
        x, y = batch.x.clone(), batch.y.clone()
        x[hit] = warp(x[hit], grid)
        y[hit] = self.goal(y[hit], batch.index[hit], ctx.aim)
        jitter = ctx.draws.stream("jitter", batch.epoch)
        x[cross] = warp(x[cross], jittered(grid, batch.index[cross], jitter))
        return plain_step(TrainBatch(x, y, batch.index, batch.epoch), ctx)


def warp(x: Image, grid: Tensor) -> Image:
    """Return (B, 3, H, W) uint8 sampled bilinearly at ``grid``, (1 or B, H, W, 2)."""
    places = grid.expand(len(x), -1, -1, -1)
    return functional.grid_sample(x.float(), places, mode="bilinear", align_corners=True).round_().to(torch.uint8)


def jittered(grid: Tensor, index: Tensor, draws: Draws) -> Tensor:
    """Return (B, H, W, 2): the field with each place moved by up to half a pixel per axis, keyed by row."""
    height, width = grid.shape[1:3]
    noise = 2 * draws.uniform(index, (height, width, 2)) - 1
    return (grid + noise / torch.tensor([width, height], device=grid.device)).clamp(-1, 1)
