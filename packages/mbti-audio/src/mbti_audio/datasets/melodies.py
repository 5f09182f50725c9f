"""Melodies of two tones, generated: embedded, so they need neither a file nor a network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from mbti_audio.sample import INPUT
from mbti_audio.waves import FULL_SCALE, Waves
from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.data.rng import Draws

_NOTES = {"C5": 523.25, "G5": 783.99, "C6": 1046.50, "G6": 1567.98}  # Hz
_CLASSES = ("C5 G5", "G5 C6", "C6 G6", "G6 C5")  # no two have the same tones, so that their order is not all there is
_SECONDS = 0.5
_ROWS: dict[Part, range] = {"train": range(600), "test": range(600, 800)}
_GAIN = (0.1, 0.6)  # of full scale, drawn on a scale of decibels
_DETUNED = 0.02  # a third of a semitone
_SNR = 20.0  # dB


class Melodies(DatasetSource[Waves]):
    """800 melodies of two tones, half a second long, in four classes: 600 for training, 200 for testing.

    The tones follow one another, each for a quarter of a second. They are made by fixed draws, so every installation
    has the same ones; loudness, phase, pitch by up to 2 %, and the noise differ from row to row.

    Args:
        rate: Samples per second, at which they are made; what is heard is the same at each.

    Shape: (B, rate / 2) in [-1, 1].
    Units: noise is white, 20 dB below the tones up to half the rate.
    """

    rate: Annotated[int, Field(ge=4000, le=192_000)] = 16_000

    def card(self) -> Card:
        """Describe the melodies."""
        return Card(
            classes=_CLASSES,
            input=INPUT,
            licence="that of this package",
            citation="",
            facts={"rate": self.rate},
            counts={part: len(rows) for part, rows in _ROWS.items()},
        )

    def files(self, root: Path) -> list[Path]:
        """Return nothing: the data set is embedded."""
        del root
        return []

    def load(self, part: Part, root: Path) -> Records[Waves] | None:
        """Open a part; there is no validation part."""
        del root
        if part == "validation":
            return None
        rows = np.array(_ROWS[part], dtype=np.int64)

        def read(at: np.ndarray[Any, np.dtype[np.int64]]) -> Waves:
            return _melodies(torch.from_numpy(rows[at]), self.rate)

        return Records(rows % len(_CLASSES), read)

    def fixture(self, root: Path) -> None:
        """Write nothing: the data set is embedded."""


def _melodies(index: Tensor, rate: int) -> Waves:
    """Return the melodies of some rows (B,); the class of a row is its number modulo 4."""
    draws = Draws(0).stream("melodies")
    samples = round(_SECONDS * rate)
    tones = torch.tensor([[_NOTES[note] for note in name.split()] for name in _CLASSES], dtype=torch.float64)
    detuned = 1 + _DETUNED * (2 * draws.stream("pitch").uniform(index, (2,)).double() - 1)
    pitch = tones[index % len(_CLASSES)] * detuned  # (B, 2)
    phase = draws.stream("phase").uniform(index, (2,)).double()
    gain = _GAIN[0] * (_GAIN[1] / _GAIN[0]) ** draws.stream("gain").uniform(index).double()[:, None]
    seconds = torch.arange(samples, dtype=torch.float64) / rate
    which = (torch.arange(samples) >= samples // 2).long()
    cycles = pitch[:, which] * seconds + phase[:, which]  # (B, samples)
    noise = draws.stream("noise").normal(index, (samples,)) * 10 ** (-_SNR / 20) * math.sqrt(0.5)
    wave = gain * (torch.sin(2 * math.pi * cycles) + noise)
    levels = (wave * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1)
    return Waves((levels / FULL_SCALE).float(), torch.full((len(index),), samples, dtype=torch.int64), rate)
