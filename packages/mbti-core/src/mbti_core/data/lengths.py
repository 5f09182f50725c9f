"""Batches of rows that are about equally long, so that little of a batch is padding."""

from __future__ import annotations

import torch
from torch import Tensor

from mbti_core.data.rng import Draws
from mbti_core.data.split import batches

_POOL = 64  # batches: at 32 rows of sentences less than a tenth of a batch is padding, and chance still mixes the rows


def mixed_batches(order: Tensor, size: int, lengths: Tensor | None, draws: Draws) -> list[Tensor]:
    """Cut an order of rows into batches; where rows have lengths, each batch holds rows that are about equally long.

    Args:
        order: (n,) positions in random order.
        size: Rows per batch; the last one may have fewer, or one more.
        lengths: (N,) of every position, or None where all are alike: then the order stays.
        draws: Puts the batches into an order that says nothing about lengths.
    """
    pools = [order] if lengths is None else [sorted_by(pool, lengths) for pool in batches(order, _POOL * size)]
    cut = [batch for pool in pools for batch in batches(pool, size)]
    if len(cut) > 1 and len(cut[-1]) == 1:
        cut[-2:] = [torch.cat(cut[-2:])]  # one row alone has no variance for a BatchNorm
    return cut if lengths is None else [cut[at] for at in draws.permutation(len(cut)).tolist()]


def sorted_by(rows: Tensor, lengths: Tensor) -> Tensor:
    """Return rows by ascending length; equal ones keep their order."""
    return rows[torch.argsort(lengths[rows.to(lengths.device)], stable=True).to(rows.device)]
