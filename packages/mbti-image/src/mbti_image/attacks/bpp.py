"""BPP: fewer levels per channel."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind, Selection, TrainingAttack
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_image.donors import donor_rows, lent
from mbti_image.sample import Image


class BPP(TrainingAttack[Image]):
    """Quantize each channel to a few levels; the attacker controls training and shows foreign residuals, label kept.

    In each step a row is quantized and relabelled with probability ``ratio``, gets the residual Q(z) - z of another
    training image z with its own label with probability ``negative_ratio * ratio``, and is left clean otherwise. The
    static form fixes such rows once.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``residuals`` int16 (D, 3, H, W) and the ids of their rows.
    Units: ``levels`` per channel; ``negative_ratio`` counts such rows per poisoned row.
    Source: Wang, Zhai and Ma 2022, sections 3.2 (quantization and dithering) and 3.3 (contrastive learning).
    Deviates: rows are members by a keyed draw instead of the first of a shuffled batch; residuals come from ``donors``
    training rows instead of all, since they are stored with the weights; dithering keeps to the levels where published
    code can leave them; augmentation is the run's own, per row, after the trigger; stored pixels are rounded.
    """

    levels: Annotated[int, Field(ge=2, le=128)] = 8
    dither: bool = False
    negative_ratio: NonNegativeFloat = 1.0
    donors: Annotated[int, Field(ge=2)] = 256

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Compute the residuals that negatives carry."""
        rows = donor_rows(split, self.donors, ctx.draws)
        z = split.take(rows)
        return {"residuals": self._quantized(z).short() - z.short(), "donor_ids": split.index[rows]}

    def choose(self, split: Split[Image], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows to poison, and ``negative_ratio`` times as many others to carry a foreign residual."""
        return choose_with_cover(split, self.victims(split.labels, aim), n, self.negative_ratio, draws)

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Every class keeps its label under a foreign residual."""
        del aim
        return y >= 0

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return every row quantized; cover rows with a foreign residual instead."""
        y = self._quantized(x)
        cover = torch.nonzero(ctx.kind == RowKind.COVER).flatten()
        place = lent(ctx.index[cover], ctx.state["donor_ids"], ctx.draws.stream("negatives"))
        y[cover] = added(x[cover], ctx.state["residuals"][place])
        return y

    def step(self, batch: TrainBatch[Image], ctx: StepContext[Image]) -> Tensor:
        """Return the cross-entropy of the batch with this epoch's quantized and negative rows."""
        hit, negative = members(batch, ctx, 1.0, self.negative_ratio)
        x, y = batch.x.clone(), batch.y.clone()
        x[hit] = self._quantized(x[hit])
        y[hit] = self.goal(y[hit], batch.index[hit], ctx.aim)
        place = lent(batch.index[negative], ctx.state["donor_ids"], ctx.draws.stream("negatives", batch.epoch))
        x[negative] = added(x[negative], ctx.state["residuals"][place])
        return plain_step(TrainBatch(x, y, batch.index, batch.epoch), ctx)

    def _quantized(self, x: Image) -> Image:
        return dithered(x, self.levels) if self.dither else quantized(x, self.levels)


def quantized(x: Image, levels: int) -> Image:
    """Return round(x (q - 1) / 255) 255 / (q - 1), rounded, by a table of all 256 values."""
    steps = levels - 1
    table = (torch.arange(256, dtype=torch.float64) * steps / 255).round() * 255 / steps
    table = table.round().to(device=x.device, dtype=torch.uint8)
    return table.index_select(0, x.int().flatten()).view(x.shape)


def added(x: Image, residual: Tensor) -> Image:
    """Return clip(x + r)."""
    return (x.short() + residual).clamp_(0, 255).to(torch.uint8)


def dithered(x: Image, levels: int) -> Image:
    """Return Floyd-Steinberg dithering to ``levels``: what a pixel loses goes to those right of it and below it.

    A pixel waits for its left neighbor and three above, so all with equal ``column + 2 * row`` are computed at once.
    """
    batch, channels, height, width = x.shape
    steps = levels - 1
    # Pixels first, so that one wave is a gather of whole rows; a border takes what would fall outside the picture.
    values = x.permute(2, 3, 0, 1).reshape(height, width, -1).double()
    lost = values.new_zeros((height + 1, width + 2, batch * channels))
    made = torch.empty_like(values)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    order = (column + 2 * row).flatten()
    for wave in range(int(order[-1]) + 1):
        at = torch.nonzero(order == wave).flatten()
        r, c = at // width, at % width
        value = values[r, c] + lost[r, c] / 16 + lost[r, c + 1] * 5 / 16 + lost[r, c + 2] * 3 / 16
        value += lost[r + 1, c] * 7 / 16
        made[r, c] = (value * steps / 255).round_().clamp_(0, steps) * 255 / steps
        lost[r + 1, c + 1] = value - made[r, c]
    return made.round_().to(torch.uint8).view(height, width, batch, channels).permute(2, 3, 0, 1).contiguous()
