"""Flat or hard pictures."""

from __future__ import annotations

import torch

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_image.sample import Image, Share


class Contrast(Noise[Image]):
    """Move each picture's pixels away from its mean gray, or towards it, by a factor of its own.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: the factor is uniform in [1 - ``strength``, 1 + ``strength``].
    Source: Hendrycks and Dietterich 2019, section 4.1, "contrast".
    Deviates: a factor in both directions around the mean of the gray picture, as PIL and torchvision adjust contrast;
    their code lowers contrast around each channel's mean.
    """

    strength: Share = 0.5

    def apply(self, x: Image, ctx: NoiseContext) -> Image:
        """Return the batch at another contrast, clipped and rounded."""
        offset = ctx.draws.stream("contrast").uniform(ctx.index, (1, 1, 1)).mul_(2).sub_(1)
        luma = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(3, 1, 1)  # ITU-R BT.601
        mean = (x * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)  # (B, 1, 1, 1)
        return (mean + (1 + self.strength * offset) * (x - mean)).round_().clamp_(0, 255).to(torch.uint8)
