"""ShrinkPad: pictures made smaller, somewhere on black."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch.nn import functional

from mbti_core.contracts.defense import Filter
from mbti_core.data.rng import Draws
from mbti_image.sample import Image


class ShrinkPad(Filter[Image]):
    """Shrink each picture, and lay it at a random place on black of the old size: a trigger loses its place and size.

    Shape: uint8 (B, 3, H, W) in [0, 255].
    Units: ``share`` of height and width that is taken off, rounded to pixels; one at least stays.
    Source: Li et al., "Backdoor Attack in the Physical World", 2021, section 4: ShrinkPad, 4 pixels of 32.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.125

    def purify(self, x: Image, draws: Draws) -> Image:
        """Return the smaller pictures, each at its own place."""
        batch, channels, height, width = x.shape
        off = [min(side - 1, round(self.share * side)) for side in (height, width)]
        sides = (height - off[0], width - off[1])
        small = functional.interpolate(x.float(), sides, mode="bilinear", antialias=True, align_corners=False)
        small = functional.pad(small.round_().clamp_(0, 255), [off[1], off[1], off[0], off[0]])
        place = torch.arange(batch)
        down, right = (
            draws.stream(axis).integers(place, n + 1) for axis, n in zip(("down", "right"), off, strict=True)
        )
        rows = (torch.arange(height) + down[:, None])[:, None, :, None].expand(-1, channels, -1, small.shape[-1])
        columns = (torch.arange(width) + right[:, None])[:, None, None].expand(-1, channels, height, -1)
        return small.gather(2, rows.to(x.device)).gather(3, columns.to(x.device)).to(torch.uint8)
