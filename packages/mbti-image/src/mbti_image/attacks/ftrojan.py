"""FTrojan: two frequencies in the colors of every window."""

from __future__ import annotations

import math

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.split import Split
from mbti_image.levels import shifted
from mbti_image.sample import Image, size_of

_WINDOW = 32
_FREQUENCIES = (15, 31)
_FROM_CHROMA = torch.tensor([[1.403, 0.0], [-0.714, -0.344], [0.0, 1.773]], dtype=torch.float64)
"""What one level of Cr and of Cb adds to R, G and B, in the 8-bit YCrCb of ITU-R BT.601."""


class FTrojan(Attack[Image]):
    """Raise a middle and a high frequency of both color-difference channels; the attacker adds relabelled rows.

    In each window of 32 x 32 pixels, coefficients (15, 15) and (31, 31) of the orthonormal DCT-II of Cr and Cb grow by
    ``strength``. The transform is linear, so this is one fixed pattern, added to the pixels.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``pattern`` int16 (3, H, W), at most 6 levels at the default.
    Units: ``strength`` of a coefficient, in levels.
    Source: Wang et al. 2022: RGB to YCrCb, DCT per window, add, and back.
    Deviates: exact where published code stores YCrCb in 8 bits and truncates; sides that 32 does not divide get a part
    of a window at the right and lower edges.
    """

    strength: NonNegativeFloat = 30.0

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Compute the pattern: the inverse transform of two coefficients, in the colors of Cr and Cb."""
        del ctx
        height, width = size_of(split)
        place = torch.arange(max(height, width), dtype=torch.float64) % _WINDOW
        chroma = torch.zeros(height, width, dtype=torch.float64)
        for frequency in _FREQUENCIES:
            wave = math.sqrt(2 / _WINDOW) * torch.cos(torch.pi * (2 * place + 1) * frequency / (2 * _WINDOW))
            chroma += self.strength * wave[:height, None] * wave[:width]
        return {"pattern": (_FROM_CHROMA.sum(dim=1)[:, None, None] * chroma).round().to(torch.int16)}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return clip(x + pattern)."""
        return shifted(x, ctx.state["pattern"])
