"""Gaussian noise on pixels."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_image.sample import Image


class Gaussian(Noise[Image]):
    """Add independent Gaussian noise to every channel of every pixel, once per data set.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: ``mean`` and ``std`` on the [0, 1] scale; at ``std`` 1, 62 % of the draws on mid-gray saturate.
    Source: Yu et al. 2025 (BackdoorMBTI), section 4.1: clip(x + std N(0, 1) + mean, 0, 1) on a quarter of the rows. The
    paper says "variance 1" and varies it (0.1, 0.5, 1); its code takes these numbers as the standard deviation, and so
    does ``std``: to repeat its tables, set ``std`` to the variance that they name.
    Deviates: drawn once per row instead of at each access; rounded to the levels that a file holds.
    """

    mean: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    std: NonNegativeFloat = 1.0

    def apply(self, x: Image, ctx: NoiseContext) -> Image:
        """Return the noisy batch, clipped and rounded."""
        noise = ctx.draws.stream("gaussian").normal(ctx.index, x.shape[1:])
        return noise.mul_(255 * self.std).add_(255 * self.mean).add_(x).round_().clamp_(0, 255).to(torch.uint8)
