"""A batch of sounds of any length, and sounds laid end to end as 16-bit PCM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Waves:
    """A batch of mono sounds, as triggers see it.

    Attributes:
        wave: (B, T) float32 in [-1, 1], zero behind each sound's end.
        lengths: (B,) int64, samples per sound, at most T.
    """

    wave: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        """Return the number of sounds."""
        return len(self.wave)

    @property
    def inside(self) -> Tensor:
        """(B, T) bool: which samples belong to the sound and not to its padding."""
        return torch.arange(self.wave.shape[1], device=self.wave.device) < self.lengths[:, None]

    def to_pcm(self) -> Tensor:
        """Return (total,) int16: the sounds end to end without padding; exact for what came from PCM."""
        return (self.wave[self.inside] * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)


def from_pcm(flat: Tensor, start: Tensor, lengths: Tensor, longest: int) -> Waves:
    """Cut (B,) sounds out of flat int16 PCM (total,), padded to ``longest`` samples, in one indexed read.

    Args:
        flat: (total,) int16.
        start: (B,) int64, where each sound starts.
        lengths: (B,) int64, samples per sound.
        longest: T of the result.
    """
    step = torch.arange(longest, device=flat.device)
    inside = step < lengths[:, None]  # (B, T)
    wave = torch.zeros(inside.shape, dtype=torch.float32, device=flat.device)
    wave[inside] = flat[(start[:, None] + step)[inside]].float() / FULL_SCALE
    return Waves(wave, lengths)


def join(parts: Sequence[Waves]) -> Waves:
    """Concatenate batches, padded to the longest of them."""
    longest = max((p.wave.shape[1] for p in parts), default=0)
    padded = [torch.nn.functional.pad(p.wave, (0, longest - p.wave.shape[1])) for p in parts]
    return Waves(torch.cat(padded), torch.cat([p.lengths for p in parts]))
