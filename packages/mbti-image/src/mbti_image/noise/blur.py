"""A lens out of focus."""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

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
        down, across = (_matrix(side, self.sigma, x.device) for side in x.shape[-2:])
        return (down @ x.float() @ across.T).round_().clamp_(0, 255).to(torch.uint8)


def _matrix(side: int, sigma: float, device: torch.device) -> Tensor:
    """Return the (side, side) matrix that blurs a column: faster than a convolution at the sizes that nets see."""
    reach = int(_REACH * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    at = (torch.arange(side)[:, None] + offsets).clamp(0, side - 1)  # (side, 2 reach + 1)
    matrix = torch.zeros(side, side, dtype=torch.float64).scatter_add_(1, at, weights.expand(side, -1))
    return (matrix / weights.sum()).float().to(device)
