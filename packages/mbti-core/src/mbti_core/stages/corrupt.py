"""Lay noise over the training split, on samples and on labels, before any attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.data.artifacts import ChangedSplit
from mbti_core.data.rng import Draws
from mbti_core.data.split import MappedColumn, Split


def corrupt(
    split: Split[Any], noises: Sequence[tuple[str, Noise[Any], float]], classes: int, seed: int
) -> ChangedSplit:
    """Return the split with each noise (id, settings, share) on exactly floor(share x N) rows, drawn once.

    The rows of each noise are drawn by themselves, so that one noise's share does not move another's.
    """
    draws = Draws(seed).stream("corrupt")
    n, labels = len(split), split.labels.clone()
    touched = torch.zeros(n, dtype=torch.bool)
    on_samples: list[tuple[Noise[Any], Tensor, Draws]] = []
    for position, (name, noise, share) in enumerate(noises):
        own = draws.stream(name, position)
        mask = torch.zeros(n, dtype=torch.bool)
        mask[torch.argsort(own.stream("rows").bits(split.index), stable=True)[: int(share * n)]] = True
        if noise.on == "y":
            labels[mask] = noise.apply(labels[mask], NoiseContext(split.index[mask], split.truth[mask], classes, own))
        else:
            on_samples.append((noise, mask, own))
            touched |= mask
    at = torch.nonzero(touched).flatten()

    def change(x: Any, rows: Tensor) -> Any:
        where = at[rows]
        for noise, mask, own in on_samples:
            hit, miss = torch.nonzero(mask[where]).flatten(), torch.nonzero(~mask[where]).flatten()
            chosen = where[hit]
            ctx = NoiseContext(split.index[chosen], split.truth[chosen], classes, own)
            parts = [split.modality.select(x, miss), noise.apply(split.modality.select(x, hit), ctx)]
            x = split.modality.select(split.modality.join(parts), torch.argsort(torch.cat([miss, hit])))
        return x

    changed = MappedColumn(split.subset(at).column, change)
    return ChangedSplit(split, torch.arange(n), labels, split.kind, at, changed)
