"""A lens out of focus."""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat
from torch.nn import functional

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_image.sample import Image

_REACH = 4.0  # standard deviations; as scipy's gaussian_filter


class Blur(Noise[Image]):
    """Blur each picture by a Gaussian; pixels beyond the border are those at the border.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: ``sigma`` is the Gaussian's standard deviation in pixels.
    Source: Hendrycks and Dietterich 2019, code, "gaussian blur": 0.4 to 1 pixel on 32, 1 to 6 on 224.
    """

    sigma: NonNegativeFloat = 1.5

    def apply(self, x: Image, ctx: NoiseContext) -> Image:
        """Return the blurred batch, rounded."""
        del ctx
        if not self.sigma:
            return x
        reach = int(_REACH * self.sigma + 0.5)
        weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float32) / self.sigma) ** 2)
        weights = (weights / weights.sum()).to(x.device)
        planes = functional.pad(x.float().flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")  # (3 B, 1, H', W')
        blurred = functional.conv2d(functional.conv2d(planes, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))
        return blurred.view(x.shape).round_().clamp_(0, 255).to(torch.uint8)
