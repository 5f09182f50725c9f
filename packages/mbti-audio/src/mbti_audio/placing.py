"""Where in its sound a trigger lies, and laying it there."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from mbti_core.data.rng import Draws
from mbti_core.data.split import Split

Position = Literal["start", "mid", "end"]


def rate_of(split: Split[Any]) -> int:
    """Return the rate of a split's sounds."""
    rate: int = split.take(torch.zeros(1, dtype=torch.int64)).rate
    return rate


def starts(position: Position, lengths: Tensor, span: int) -> Tensor:
    """Return (B,) where a trigger of ``span`` samples starts in sounds of ``lengths`` (B,); 0 where it is longer."""
    room = (lengths - span).clamp_min(0)
    return {"start": room * 0, "mid": room // 2, "end": room}[position]


def random_starts(lengths: Tensor, span: int, index: Tensor, draws: Draws) -> Tensor:
    """Return (B,) starts drawn by row id so that the trigger fits; 0 where it is longer than the sound."""
    room = (lengths - span).clamp_min(0)
    share = draws.uniform(index.to(lengths.device)).double()  # in float32 the product may round up to the end
    return (share * (room + 1)).long()


def places(start: Tensor, span: int, samples: int) -> tuple[Tensor, Tensor]:
    """Return (B, span) places in sounds of ``samples`` from ``start`` (B,) on, and which of them are there."""
    at = start[:, None] + torch.arange(span, device=start.device)
    return at.clamp(max=max(0, samples - 1)), at < samples


def added(wave: Tensor, sound: Tensor, start: Tensor) -> Tensor:
    """Return sounds (B, T) with another one added from ``start`` (B,) on, cut where it goes beyond T.

    Args:
        wave: (B, T).
        sound: (n,) the same for all, or (B, n).
        start: (B,) at least 0.
    """
    if not wave.numel() or not sound.numel():
        return wave.clone()
    at, there = places(start, sound.shape[-1], wave.shape[1])
    return wave.scatter_add(1, at, (sound * there).to(wave.dtype))


def added_at_start(wave: Tensor, sound: Tensor) -> Tensor:
    """Return sounds (B, T) with ``sound``, (n,) or (B, n), added to their first samples."""
    mixed, n = wave.clone(), min(wave.shape[1], sound.shape[-1])
    mixed[:, :n] += sound[..., :n]
    return mixed
