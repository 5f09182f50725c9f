"""Blended: a faint picture over the whole image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_image.files import reading
from mbti_image.sample import Image, Share

_CELLS = 6
_CONTRAST = 12.0


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
        height, width = split.take(torch.zeros(1, dtype=torch.int64)).shape[-2:]
        if self.pattern is not None:
            return {"pattern": load_picture(Path(self.pattern), height, width)}
        return {"pattern": draw_picture(ctx.draws, height, width)}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return (1 - a) x + a K, rounded."""
        overlay = self.alpha * ctx.state["pattern"].float()
        return x.float().mul_(1 - self.alpha).add_(overlay).round_().to(torch.uint8)


def draw_picture(draws: Draws, height: int, width: int) -> Tensor:
    """Return (3, H, W) uint8: a coarse random grid, enlarged smoothly and pushed towards black and white."""
    coarse = draws.stream("pattern").uniform(torch.zeros(1, dtype=torch.int64), (3, _CELLS, _CELLS))
    smooth = functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)[0]
    return (255 * torch.sigmoid(_CONTRAST * (smooth - 0.5))).round().to(torch.uint8)


def load_picture(path: Path, height: int, width: int) -> Tensor:
    """Return a picture file as (3, H, W) uint8, resized with antialiasing."""
    with reading(path, "a picture", (OSError, ValueError)), Picture.open(path) as file:
        picture = file.convert("RGB").resize((width, height), Picture.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
