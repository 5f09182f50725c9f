"""Too little or too much light."""

from __future__ import annotations

import torch

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_image.sample import Image, Share


class Brightness(Noise[Image]):
    """Multiply each picture by a factor of its own.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: the factor is uniform in [1 - ``strength``, 1 + ``strength``].
    Source: Hendrycks and Dietterich 2019, section 4.1, "brightness".
    Deviates: a factor in both directions, as PIL and torchvision adjust brightness; their code adds to HSV's value.
    """

    strength: Share = 0.5

    def apply(self, x: Image, ctx: NoiseContext) -> Image:
        """Return the batch in another light, clipped and rounded."""
        offset = ctx.draws.stream("brightness").uniform(ctx.index, (1, 1, 1)).mul_(2).sub_(1)
        return (x * (1 + self.strength * offset)).round_().clamp_(0, 255).to(torch.uint8)
