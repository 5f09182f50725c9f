"""White and black pixels."""

from __future__ import annotations

import torch

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_image.sample import Image, Share


class SaltPepper(Noise[Image]):
    """Replace single pixels by white or black ones, as dead and hot cells of a sensor do.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: ``amount`` is the expected share of pixels replaced, ``salt`` the share of white ones among them.
    Source: Hendrycks and Dietterich 2019, section 4.1, "impulse noise".
    Deviates: whole pixels, where their code replaces channels one by one; drawn once per row.
    """

    amount: Share = 0.1
    salt: Share = 0.5

    def apply(self, x: Image, ctx: NoiseContext) -> Image:
        """Return the batch with some pixels at 0 and some at 255."""
        shape = (1, *x.shape[2:])
        hit = ctx.draws.stream("hit").uniform(ctx.index, shape) < self.amount
        white = ctx.draws.stream("salt").uniform(ctx.index, shape) < self.salt
        return torch.where(hit, white.to(torch.uint8) * 255, x)
