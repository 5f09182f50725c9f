"""Low-pass reconstruction: pictures without their finest detail."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch.nn import functional

from mbti_core.contracts.defense import Filter
from mbti_core.data.rng import Draws
from mbti_image.sample import Image


class LowPass(Filter[Image]):
    """Bring each picture to a coarser grid and back: what lives in single pixels is gone.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: ``factor``, how many times fewer pixels a side has in between; there is one at least.
    Source: Liu, Xie, Srivastava, "Neural Trojans", ICCD 2017, section 4, input preprocessing.
    Deviates: adapted. A fixed low-pass in place of a trained autoencoder, of which it keeps the effect: detail that
        most pictures do not have is not reconstructed.
    """

    factor: Annotated[float, Field(gt=1)] = 2.0

    def purify(self, x: Image, draws: Draws) -> Image:
        """Return the coarser pictures at their old size, rounded."""
        del draws
        sides = x.shape[-2:]
        coarse = [max(1, round(side / self.factor)) for side in sides]
        small = functional.interpolate(x.float(), coarse, mode="bilinear", antialias=True, align_corners=False)
        full = functional.interpolate(small, sides, mode="bicubic", align_corners=False)
        return full.round_().clamp_(0, 255).to(torch.uint8)
