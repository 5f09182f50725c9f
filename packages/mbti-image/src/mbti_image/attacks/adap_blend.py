"""Adap-Blend: half of a faint picture, under the target's label and under true ones."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, Selection
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_image.levels import laid_over
from mbti_image.patterns import draw_picture, load_picture
from mbti_image.sample import Image, Share, size_of

_GRID = 4
_SHOWN = 8


class AdapBlend(Attack[Image]):
    """Blend half of a picture, other pieces for each row, into poisoned rows and as many rows that keep their label.

    The attacker adds rows to the training data; the cover rows loosen the bond between trigger and label, so that
    triggered and clean rows lie closer together. Tests show the whole picture, more strongly.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``picture`` uint8 (3, H, W), of which a row shows 8 of 4 x 4 pieces.
    Units: ``alpha``, ``test_alpha`` are the picture's share of a pixel; ``cover_ratio`` counts cover rows per poisoned
    row.
    Raises: DataUnavailableError, DataFormatError: If ``pattern`` cannot be read as a picture.
    Source: Qi et al. 2023, and its authors' code: x' = x + a m (K - x).
    Deviates: a drawn picture, since the usual one is under copyright; rounded where published code truncates.
    """

    alpha: Share = 0.15
    test_alpha: Share = 0.2
    cover_ratio: NonNegativeFloat = 1.0
    pattern: FileRef | None = None

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Draw or load the picture, in the size of the data."""
        size = size_of(split)
        picture = load_picture(Path(self.pattern), *size) if self.pattern else draw_picture(ctx.draws, *size)
        return {"picture": picture}

    def choose(self, split: Split[Image], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows to poison, and ``cover_ratio`` times as many others to cover (fewer if there are not enough)."""
        return choose_with_cover(split, self.victims(split.labels, aim), n, self.cover_ratio, draws)

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return training rows with half of the pieces, test rows with all."""
        picture = ctx.state["picture"]
        if ctx.role == "test":
            return laid_over(x, picture, self.test_alpha)
        height, width = x.shape[-2:]
        return laid_over(x, picture, self.alpha * shown(ctx.index, ctx.draws, height, width))


def shown(index: Tensor, draws: Draws, height: int, width: int) -> Tensor:
    """Return (B, 1, H, W) of 0 and 1: which pixels belong to a row's 8 pieces, drawn without replacement."""
    rank = draws.stream("pieces").bits(index, (_GRID**2,)).argsort(dim=1).argsort(dim=1)
    pieces = (rank < _SHOWN).float().view(-1, 1, _GRID, _GRID)
    row, column = (torch.arange(side) * _GRID // side for side in (height, width))
    return pieces[:, :, row][..., column]
