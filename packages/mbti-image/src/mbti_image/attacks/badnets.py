"""BadNets: a fixed patch in a corner."""

from __future__ import annotations

from mbti_core.contracts.attack import Attack, PoisonContext
from mbti_image.patches import Patched, number_of, stamp
from mbti_image.sample import Image


class BadNets(Patched, Attack[Image]):
    """Stamp a patch in a corner; the attacker adds relabelled rows to the training data.

    One patch serves a single target and ``all-to-all``; of several targets each has a place of its own.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``patch`` (4, h, w), colors and opacity, ``places`` (k, 2).
    Units: ``size`` and ``margin`` in pixels, ``value`` a channel's level.
    Raises: ConfigError: If the patch does not fit into the picture.
    Source: Gu et al. 2017, section 3.1: x' = x (1 - m) + t m.
    Deviates: by default one square of a single level, as published tool kits ship it.
    """

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return a copy with the patch on every row, at the place of the row's target."""
        return stamp(x, ctx.state["patch"], ctx.state["places"], number_of(ctx.goal, ctx.aim))
