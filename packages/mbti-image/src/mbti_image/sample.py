"""What a batch of images is, and the types of settings that speak of pixels."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from mbti_core.data.split import Split

Image = Tensor
"""A batch in storage form: uint8 (B, 3, H, W), RGB, in [0, 255]."""

Byte = Annotated[int, Field(ge=0, le=255)]
"""The value of one channel of a pixel."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A part of a whole, in [0, 1]."""


def size_of(split: Split[Image]) -> tuple[int, int]:
    """Return height and width of a split's pictures, in pixels."""
    height, width = split.take(torch.zeros(1, dtype=torch.int64)).shape[-2:]
    return height, width
