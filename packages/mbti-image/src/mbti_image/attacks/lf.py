"""LF: one smooth pattern over the whole image, found against a clean model."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext, single_target
from mbti_core.data.split import Split
from mbti_image.levels import shifted
from mbti_image.sample import Image, size_of
from mbti_image.surrogate import descend, drawn, surrogate_of

_LR = 0.1


class LowFrequency(Attack[Image]):
    """Add one pattern without high frequencies to every triggered row; the attacker adds relabelled rows.

    ``fit`` looks for the pattern that leads the benign twin to the target class, among those that a low-pass filter
    leaves: no detector of high-frequency artifacts sees it.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``pattern`` uint8 (3, H, W), from 0 to ``strength``.
    Units: ``strength`` in levels; ``smoothness`` the filter's standard deviation as a share of the picture's side;
    ``steps`` batches of 64 rows.
    Raises: ConfigError: If there is no single target class.
    Source: Zeng et al. 2021, section 5 (smooth trigger by a low-pass filter and a bi-level search).
    Deviates: Adam on the filter's input lowers the cross-entropy to the target over random rows, where the authors add
    up filtered steps of DeepFool over 100 pictures: minutes instead of hours, with the same filter, range and aim;
    rounded where published code truncates.
    """

    strength: Annotated[int, Field(ge=1, le=255)] = 51
    smoothness: PositiveFloat = 0.18
    steps: PositiveInt = 100

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Search for the pattern on rows of the other classes."""
        target, device = single_target(ctx.aim), ctx.device
        filters = [gaussian(side, self.smoothness * side).to(device) for side in size_of(split)]
        start = ctx.draws.stream("start").normal(torch.zeros(1, dtype=torch.int64), (3, *size_of(split)))[0]
        raw = start.to(device).requires_grad_()

        def triggered(x: Tensor, index: Tensor) -> Tensor:
            del index
            return (x + self.strength / 255 * smooth(raw, filters)).clamp(0, 1)

        batches = drawn(split, torch.nonzero(split.labels != target).flatten(), self.steps, ctx)
        descend(surrogate_of(ctx), raw, torch.optim.Adam([raw], lr=_LR), batches, triggered, target)
        pattern = self.strength * smooth(raw.detach(), filters)
        return {"pattern": pattern.round().to(torch.uint8).cpu()}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return clip(x + d)."""
        return shifted(x, ctx.state["pattern"].to(torch.int16))


def gaussian(side: int, deviation: float) -> Tensor:
    """Return (side, side): a Gaussian filter along one axis with zeros beyond the edges."""
    places = torch.arange(side, dtype=torch.float32)
    return torch.exp(-0.5 * ((places[:, None] - places) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


def smooth(raw: Tensor, filters: list[Tensor]) -> Tensor:
    """Return (3, H, W) in [0, 1], both ends reached: ``raw`` filtered along both axes, and scaled."""
    filtered = filters[0] @ raw @ filters[1]
    scaled: Tensor = (filtered - filtered.min()) / (filtered.max() - filtered.min())
    return scaled
