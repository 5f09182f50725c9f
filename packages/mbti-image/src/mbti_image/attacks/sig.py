"""SIG: vertical waves, under true labels."""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import CleanLabelAttack, FitContext, PoisonContext
from mbti_core.data.split import Split
from mbti_image.levels import shifted
from mbti_image.sample import Image, size_of


class Sig(CleanLabelAttack[Image]):
    """Add a sinusoid along the rows to pictures of the target class; the attacker only adds correctly labelled rows.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``wave`` int16 (W,).
    Units: ``strength`` in levels, ``waves`` per picture width.
    Raises: ConfigError: If there is no single target class.
    Source: Barni et al. 2019: v(i, j) = D sin(2 pi j f / W), here D = ``strength`` and f = ``waves``.
    Deviates: D = 40, as a published benchmark has it, for training and testing alike; rounded where published code
    truncates.
    """

    strength: NonNegativeFloat = 40.0
    waves: PositiveInt = 6

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Compute one row of the wave; all rows and channels get the same."""
        del ctx
        _, width = size_of(split)
        phase = 2 * torch.pi * self.waves * torch.arange(width, dtype=torch.float64) / width
        return {"wave": (self.strength * phase.sin()).round().to(torch.int16)}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return clip(x + v)."""
        return shifted(x, ctx.state["wave"])
