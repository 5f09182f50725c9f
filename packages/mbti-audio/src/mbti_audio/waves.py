"""A batch of sounds of any length, and sounds laid end to end as 16-bit PCM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

FULL_SCALE = 32768.0
Rate = Annotated[int, Field(ge=1000, le=384_000)]
"""Samples per second that sounds are brought to."""


@dataclass(frozen=True)
class Waves:
    """A batch of mono sounds, as triggers see it.

    Attributes:
        wave: (B, T) float32 in [-1, 1], zero behind each sound's end.
        lengths: (B,) int64, samples per sound, at most T.
        rate: Samples per second; 0 in a batch of no sound.
    """

    wave: Tensor
    lengths: Tensor
    rate: int

    def __len__(self) -> int:
        """Return the number of sounds."""
        return len(self.wave)

    @property
    def inside(self) -> Tensor:
        """(B, T) bool: which samples belong to the sound and not to its padding."""
        return torch.arange(self.wave.shape[1], device=self.wave.device) < self.lengths[:, None]

    def with_wave(self, wave: Tensor) -> Waves:
        """Return the batch with other samples (B, T): clipped to [-1, 1], and silent behind each sound's end."""
        clipped = wave.clamp(-1.0, 1.0)
        full = not len(self) or int(self.lengths.min()) == wave.shape[1]
        return replace(self, wave=clipped if full else clipped.mul_(self.inside))

    def to_pcm(self) -> Tensor:
        """Return (total,) int16: the sounds end to end without padding; exact for what came from PCM."""
        none = torch.zeros(0, dtype=torch.int16, device=self.wave.device)
        sounds = (row[:n] for row, n in zip(self.wave, self.lengths.tolist(), strict=True))
        return torch.cat(
            [none, *((s * FULL_SCALE).round_().clamp_(-FULL_SCALE, FULL_SCALE - 1).short() for s in sounds)]
        )


def from_pcm(flat: Tensor, starts: Sequence[int], lengths: Sequence[int], longest: int, rate: int) -> Waves:
    """Cut (B,) sounds out of flat int16 PCM, padded to ``longest`` samples.

    Args:
        flat: (total,) int16.
        starts: Where each sound starts.
        lengths: Samples per sound.
        longest: T of the result.
        rate: Samples per second.
    """
    wave = torch.empty(len(starts), longest, dtype=torch.float32, device=flat.device)
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        # Row by row: an index for every sample takes far longer, and a whole batch would wake a second thread.
        torch.div(flat[start : start + length], FULL_SCALE, out=wave[row, :length])
        wave[row, length:] = 0
    return Waves(wave, torch.tensor(lengths, dtype=torch.int64, device=flat.device), rate)


def join(parts: Sequence[Waves]) -> Waves:
    """Concatenate batches of one rate, padded to the longest of them."""
    longest = max((p.wave.shape[1] for p in parts), default=0)
    padded = [functional.pad(p.wave, (0, longest - p.wave.shape[1])) for p in parts]
    return Waves(torch.cat(padded), torch.cat([p.lengths for p in parts]), max(p.rate for p in parts))
