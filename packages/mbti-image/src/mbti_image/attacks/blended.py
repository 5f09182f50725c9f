"""Blended: a faint picture over the whole image."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.fileref import FileRef
from mbti_core.data.split import Split
from mbti_image.patterns import draw_picture, load_picture
from mbti_image.sample import Image, Share, size_of


class Blended(Attack[Image]):
    """Blend one picture into every triggered row; the attacker adds relabelled rows to the training data.

    The picture is drawn from the attack seed (smooth blotches of high contrast) unless ``pattern`` names a file.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``pattern`` uint8 (3, H, W).
    Units: ``alpha`` is the picture's share of each pixel.
    Raises: DataUnavailableError, DataFormatError: If ``pattern`` cannot be read as a picture.
    Source: Chen et al. 2017, section 4: x' = (1 - a) x + a K.
    Deviates: a drawn picture, since the usual one is under copyright; rounded where published code truncates; one alpha
    for training and testing.
    """

    alpha: Share = 0.2
    pattern: FileRef | None = None

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Draw or load the picture, in the size of the data."""
        size = size_of(split)
        picture = load_picture(Path(self.pattern), *size) if self.pattern else draw_picture(ctx.draws, *size)
        return {"pattern": picture}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return (1 - a) x + a K, rounded."""
        overlay = self.alpha * ctx.state["pattern"].float()
        return x.float().mul_(1 - self.alpha).add_(overlay).round_().to(torch.uint8)
