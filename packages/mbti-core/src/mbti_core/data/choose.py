"""Choosing rows by key: uniformly, or evenly over classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import Selection
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split


def uniform_rows(split: Split[Any], eligible: Tensor, n: int, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return ``n`` positions among the ``eligible`` ones (all, if there are fewer), ascending, and no cover rows.

    Args:
        split: Rows to choose from; the choice is keyed by ``split.index``.
        eligible: (N,) bool.
        n: How many.
        draws: Keyed randomness.
    """
    rows = torch.nonzero(eligible).flatten()
    order = torch.argsort(draws.stream("choose").bits(split.index[rows]), stable=True)
    return rows[order[:n]].sort().values, rows[:0]


def choose_with_cover(split: Split[Any], eligible: Tensor, n: int, cover: float, draws: Draws) -> Selection:
    """Choose ``n`` eligible rows to poison, and ``cover`` times as many others to cover (fewer if too few are left).

    Args:
        split: Rows to choose from.
        eligible: (N,) bool.
        n: How many to poison.
        cover: Cover rows per poisoned row.
        draws: Keyed randomness.
    """
    poison, _ = uniform_rows(split, eligible, n, draws)
    left = eligible.clone()
    left[poison] = False
    covering, _ = uniform_rows(split, left, round(cover * len(poison)), draws.stream("cover"))
    return Selection(poison, covering)


def stratified_rows(y: Tensor, index: Tensor, n: int, draws: Draws) -> Tensor:
    """Return ``n`` ascending positions with the class shares of ``y`` (largest remainder), keyed by ``index``.

    Args:
        y: (N,) int64 labels.
        index: (N,) int64 stable ids.
        n: How many; at most N are returned.
        draws: Keyed randomness.
    """
    total, n = len(y), min(n, len(y))
    if not n:
        return torch.zeros(0, dtype=torch.int64)
    counts = torch.bincount(y)
    quota = largest_remainder(counts.double() * n / total, n)
    order = torch.argsort(draws.bits(index), stable=True)
    return torch.cat([order[y[order] == c][: int(q)] for c, q in enumerate(quota)]).sort().values


def rows_per_class(y: Tensor, index: Tensor, n: int, draws: Draws) -> Tensor:
    """Return ascending positions of ``n`` rows of each class, or all of one that has fewer; as ``stratified_rows``."""
    order = torch.argsort(draws.bits(index), stable=True)
    return torch.cat([order[y[order] == c][:n] for c in torch.unique(y)] or [order]).sort().values


def largest_remainder(exact: Tensor, n: int) -> Tensor:
    """Return (C,) int64 counts that sum to ``n`` and are each ``exact`` (C,), rounded down or up."""
    quota = exact.floor().long()
    rest = torch.argsort(exact - quota, descending=True, stable=True)[: n - int(quota.sum())]
    quota[rest] += 1
    return quota
