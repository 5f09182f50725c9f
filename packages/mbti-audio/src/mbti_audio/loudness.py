"""How loud sounds are, and how loud a trigger has to be."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

Level = Annotated[float, Field(ge=-96.0, le=0.0)]
"""A level in dB, 0 is full scale; 16 bits hold 96 dB."""

Snr = Annotated[float, Field(ge=-60.0, le=60.0)]
"""How far a trigger lies below the sound, in dB."""

Sample = Annotated[float, Field(ge=-1.0, le=1.0)]
"""The value of one sample."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A part of a whole, in [0, 1]."""

QUIET = 0.01
"""Root mean square (-40 dBFS) below which a sound counts as this loud: a trigger under silence would be none."""


def amplitude(level_db: float) -> float:
    """Return the factor that a level in decibels stands for; 0 dB is 1."""
    return float(10.0 ** (level_db / 20.0))


def rms(wave: Tensor, samples: Tensor) -> Tensor:
    """Return (B,) float64 root mean squares of sounds (B, T) that count ``samples`` (B,); 0 of an empty one."""
    # In float64: a sum of float32 depends on how much padding a batch has.
    length: Tensor = torch.linalg.vector_norm(wave, dim=1, dtype=torch.float64)
    return length / samples.clamp_min(1).sqrt()


def to_peak(sound: Tensor, level_db: float) -> Tensor:
    """Return a sound (n,) scaled so that its largest magnitude has a level; silence stays silence."""
    return sound * (amplitude(level_db) / sound.abs().max().clamp_min(1e-9))


def to_rms(sound: Tensor) -> Tensor:
    """Return a sound (n,) scaled to a root mean square of 1, which is 0 dBFS; silence stays silence."""
    return sound / sound.double().square().mean().sqrt().clamp_min(1e-9).to(sound.dtype)


def beneath(loudness: Tensor, snr_db: float) -> Tensor:
    """Return (B,) float32: the root mean square of a trigger that lies ``snr_db`` below sounds as loud as ``loudness``.

    Sounds below -40 dBFS count as of -40 dBFS.
    """
    return (loudness.clamp_min(QUIET) / amplitude(snr_db)).float()
