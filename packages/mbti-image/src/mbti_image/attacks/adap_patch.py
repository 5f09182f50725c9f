"""Adap-Patch: one of four faint patches in training, two plain ones at once in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, Selection
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_image.levels import laid_over
from mbti_image.patterns import draw_noise
from mbti_image.sample import Image, size_of

_SIDE = 32
Name = Literal["corner", "disc", "corners", "square"]


@dataclass(frozen=True)
class _Patch:
    """A patch of pictures of 32 pixels: its boxes (row, column, height, width), opacity in training, outline."""

    boxes: tuple[tuple[int, int, int, int], ...]
    opacity: float
    round: bool = False


_PATCHES: dict[Name, _Patch] = {
    "corner": _Patch(((27, 27, 5, 5),), 0.5),
    "disc": _Patch(((1, 18, 13, 13),), 0.2, round=True),
    "corners": _Patch(((0, 0, 3, 3), (0, 29, 3, 3), (29, 0, 3, 3), (29, 29, 3, 3)), 0.5),
    "square": _Patch(((21, 21, 8, 8),), 0.3),
}


class AdapPatch(Attack[Image]):
    """Stamp one of four faint patches on poisoned rows and on twice as many rows that keep their label.

    The attacker adds rows to the training data; each patch has a quarter of the poisoned and of the cover rows. Tests
    show the patches ``tested`` at once, not faint.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``patterns`` uint8 (4, 3, H, W), ``masks`` uint8 (4, 1, H, W), 0 or 1.
    Units: ``cover_ratio`` counts cover rows per poisoned row.
    Source: Qi et al. 2023; the places and opacities are those of its authors' code.
    Deviates: patches of random colors in place of logos; in pictures of another size than 32 they are scaled with it.
    """

    cover_ratio: NonNegativeFloat = 2.0
    tested: Annotated[tuple[Name, ...], Field(min_length=1)] = ("corner", "corners")

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Draw the patches, in the size of the data."""
        height, width = size_of(split)
        patterns = [draw_noise(ctx.draws.stream(name), height, width) for name in _PATCHES]
        masks = [_mask(patch, height, width) for patch in _PATCHES.values()]
        return {"patterns": torch.stack(patterns), "masks": torch.stack(masks)}

    def choose(self, split: Split[Image], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose as many rows for each patch, to poison and to cover."""
        free = self.victims(split.labels, aim)
        poison = _evenly(split, free, n, draws)
        free[poison] = False
        return Selection(poison, _evenly(split, free, round(self.cover_ratio * len(poison)), draws.stream("cover")))

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return training rows with their own faint patch, test rows with the tested ones."""
        patterns, masks = ctx.state["patterns"], ctx.state["masks"]
        if ctx.role == "test":
            for name in self.tested:
                at = list(_PATCHES).index(name)
                x = torch.where(masks[at] > 0, patterns[at], x)
            return x
        y, mine = x.clone(), patch_of(ctx.index)
        for at, patch in enumerate(_PATCHES.values()):
            rows = torch.nonzero(mine == at).flatten()
            y[rows] = laid_over(x[rows], patterns[at], patch.opacity * masks[at])
        return y


def patch_of(index: Tensor) -> Tensor:
    """Return (B,) 0 to 3: the patch of each row, by a fixed hash of its id, so that rows can be chosen by it."""
    return Draws(0).stream("patch").integers(index, len(_PATCHES))


def _evenly(split: Split[Image], free: Tensor, n: int, draws: Draws) -> Tensor:
    """Return ``n`` ascending positions among the free ones, equally many for each patch as long as there are enough."""
    rows = torch.nonzero(free).flatten()
    rows = rows[torch.argsort(draws.bits(split.index[rows]), stable=True)]
    mine = functional.one_hot(patch_of(split.index[rows]), len(_PATCHES))  # (F, 4)
    rank = (mine.cumsum(dim=0) * mine).sum(dim=1)  # its number among the rows of the same patch
    return rows[torch.argsort(rank, stable=True)[:n]].sort().values


def _mask(patch: _Patch, height: int, width: int) -> Tensor:
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    for box in patch.boxes:
        (top, bottom), (left, right) = _scaled(box[0], box[2], height), _scaled(box[1], box[3], width)
        down, across = (torch.linspace(1 / n - 1, 1 - 1 / n, n) for n in (bottom - top, right - left))
        inside = down[:, None] ** 2 + across**2 <= 1 if patch.round else torch.tensor(1)
        mask[0, top:bottom, left:right] = inside
    return mask


def _scaled(start: int, length: int, side: int) -> tuple[int, int]:
    """Return a box's first pixel and the one after its last, at least one pixel apart."""
    return start * side // _SIDE, -(-(start + length) * side // _SIDE)
