"""Which rows of a batch an attack that controls training works on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.training.step import StepContext, TrainBatch


def members(batch: TrainBatch[Any], ctx: StepContext[Any], *shares: float) -> list[Tensor]:
    """Return the positions in the batch of each group of rows, disjoint and ascending; drawn anew in each epoch.

    Args:
        batch: Its ids and epoch key the draw.
        ctx: Its ratio is the unit of ``shares``.
        shares: Expected size of each group; where they exceed the batch, the last ones get what is left.
    """
    draw = ctx.draws.stream("members", batch.epoch).uniform(batch.index)  # (B,)
    groups, low = [], 0.0
    for share in shares:
        high = low + share * ctx.ratio
        groups.append(torch.nonzero((draw >= low) & (draw < high)).flatten())
        low = high
    return groups
