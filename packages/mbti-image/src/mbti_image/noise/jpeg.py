"""Lossy compression."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_image.sample import Image


class Jpeg(Noise[Image]):
    """Compress each picture as a JPEG file would, and read it again.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: ``compression`` is 100 less JPEG's quality; at 0 nothing is compressed. Colors have half the resolution.
    Source: Hendrycks and Dietterich 2019, section 4.1, "JPEG compression": qualities 25, 18, 15, 10 and 7.
    """

    compression: Annotated[int, Field(ge=0, le=99)] = 75

    def apply(self, x: Image, ctx: NoiseContext) -> Image:
        """Return what is left of each row."""
        del ctx
        if not self.compression:
            return x
        from torchvision.io import decode_jpeg, encode_jpeg  # noqa: PLC0415 - seconds; a finished run compresses nothing

        return torch.stack([decode_jpeg(encode_jpeg(row, 100 - self.compression)) for row in x])
