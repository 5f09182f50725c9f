"""How loud sounds are, mixing at a signal-to-noise ratio, and the levels that a file holds."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from mbti_audio.waves import FULL_SCALE, Waves

Decibels = Annotated[float, Field(ge=-40.0, le=100.0)]
"""A signal-to-noise ratio in dB; above 100, 16 bits hold nothing of the noise."""

_SILENT = 1e-12  # far below what 16 bits hold; keeps the gain of silence finite


def rms(wave: Tensor, lengths: Tensor) -> Tensor:
    """Return the root mean square of each sound (B, 1); 0 of one without samples.

    Args:
        wave: (B, T), zero behind each sound's end.
        lengths: (B,), samples per sound.
    """
    norm: Tensor = torch.linalg.vector_norm(wave, dim=1, keepdim=True)
    return norm / lengths.clamp_min(1).to(wave.dtype).sqrt()[:, None]


def matching(wave: Tensor, other: Tensor) -> Tensor:
    """Return the factors (B, 1) that make ``other`` as loud as ``wave``, both given as (B, 1) root mean squares."""
    return wave / other.clamp_min(_SILENT)


def mixed(x: Waves, noise: Tensor, snr: float, strength: float) -> Waves:
    """Return the sounds with noise on them, whatever the noise's own level.

    Args:
        x: The sounds.
        noise: (B, T).
        snr: Power of each sound over that of its noise, in dB, both over the length of the sound.
        strength: Factor on the noise.
    """
    wave, added = x.wave.double(), noise.double() * x.inside  # single precision would depend on the padding
    gain = matching(rms(wave, x.lengths), rms(added, x.lengths)) * (strength * 10 ** (-snr / 20))
    return stored(x, wave + gain * added)


def stored(x: Waves, wave: Tensor) -> Waves:
    """Return the batch with other samples (B, T), clipped and rounded to the levels that 16 bits hold."""
    levels = (wave * FULL_SCALE).round_().clamp_(-FULL_SCALE, FULL_SCALE - 1).div_(FULL_SCALE)
    return x.with_wave(levels.float())
