"""Rows that lend others their patterns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import PoisonContext, RowKind
from mbti_core.data.choose import uniform_rows
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_image.sample import Image


def donated(split: Split[Image], n: int, draws: Draws) -> dict[str, Tensor]:
    """Return pictures whose patterns cover rows carry, with their row ids, as a part of an attack's state."""
    rows = donor_rows(split, n, draws)
    return {"donors": split.take(rows), "donor_ids": split.index[rows]}


def pattern_sources(x: Image, ctx: PoisonContext) -> Image:
    """Return the picture that each row's pattern is made from: its own, a donor's for a cover row."""
    cover = torch.nonzero(ctx.kind == RowKind.COVER).flatten()
    if not len(cover):
        return x
    sources = x.clone()
    sources[cover] = ctx.state["donors"][lent(ctx.index[cover], ctx.state["donor_ids"], ctx.draws.stream("lent"))]
    return sources


def donor_rows(split: Split[Any], n: int, draws: Draws) -> Tensor:
    """Return the ascending positions of ``n`` rows (all, if there are fewer) that lend something to cover rows."""
    donors, _ = uniform_rows(split, torch.ones(len(split), dtype=torch.bool), n, draws.stream("donors"))
    return donors


def lent(index: Tensor, donors: Tensor, draws: Draws) -> Tensor:
    """Return (B,) places in ``donors``: for each row, keyed by its id, one that is not the row itself.

    Args:
        index: (B,) row ids.
        donors: (D,) row ids of the donors, at least 2.
        draws: Keyed randomness.
    """
    place = draws.integers(index, len(donors))
    return torch.where(donors[place] == index, (place + 1) % len(donors), place)


def partners(rows: Tensor, size: int) -> Tensor:
    """Return another position for each in a batch of ``size``: batches are shuffled, so a fixed step is a draw."""
    return (rows + max(1, size // 2)) % size
