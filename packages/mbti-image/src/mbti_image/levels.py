"""Arithmetic on the levels of stored pixels, which would wrap around in uint8."""

from __future__ import annotations

import torch
from torch import Tensor

from mbti_image.sample import Image


def shifted(x: Image, by: Tensor) -> Image:
    """Return x + by, clipped to [0, 255].

    Args:
        x: uint8 (B, 3, H, W).
        by: int16 that broadcasts with it, in [-255, 255].
    """
    return x.to(torch.int16).add_(by).clamp_(0, 255).to(torch.uint8)


def laid_over(x: Image, picture: Tensor, weight: Tensor | float) -> Image:
    """Return x + weight (picture - x), rounded.

    Args:
        x: uint8 (B, 3, H, W).
        picture: uint8 that broadcasts with it.
        weight: The picture's share of each pixel, in [0, 1]; a tensor broadcasts with ``x``.
    """
    return x.float().lerp_(picture.float(), weight).round_().to(torch.uint8)
