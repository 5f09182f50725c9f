"""The modality: uint8 pictures of one size, and the float batch that a model sees."""

from __future__ import annotations

import torch
from torch import Tensor

from mbti_core.data.dense import DenseModality


def to_float(x: Tensor) -> Tensor:
    """Return the model's input: (B, 3, H, W) floats in [0, 1], channels last.

    Args:
        x: uint8 (B, 3, H, W) in [0, 255], or floats that are in [0, 1] already (what optimizes pixels works on those;
            sums of pictures may leave that range).
    """
    layout = torch.channels_last if x.dim() == 4 else torch.preserve_format
    if x.is_floating_point():
        return x.contiguous(memory_format=layout) if x.dim() == 4 else x
    return x.to(torch.float32, memory_format=layout).div_(255)


def modality() -> DenseModality:
    """Return the image modality: pictures of one size as uint8 (B, 3, H, W)."""
    return DenseModality("image", "RGB pictures of one size", to_float)
