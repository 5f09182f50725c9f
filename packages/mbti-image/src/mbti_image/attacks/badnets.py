"""BadNets: a fixed patch in a corner."""

from __future__ import annotations

from pydantic import PositiveInt

from mbti_core.contracts.attack import Attack, PoisonContext
from mbti_image.sample import Byte, Image


class BadNets(Attack[Image]):
    """Stamp a square on the lower right corner; the attacker adds relabelled rows to the training data.

    Shape: uint8 (B, 3, H, W) in [0, 255]. Units: ``size`` in pixels, ``value`` a channel's level.
    Source: Gu et al. 2017, section 3.1. Deviates: one square of a single level, as published tool kits ship it.
    """

    size: PositiveInt = 3
    value: Byte = 255

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return a copy with the square on every row."""
        del ctx
        y = x.clone()
        y[..., -self.size :, -self.size :] = self.value
        return y
