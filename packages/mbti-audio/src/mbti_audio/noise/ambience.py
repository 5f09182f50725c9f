"""Backgrounds: recordings of a folder, and generated ones that need no file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from mbti_audio.sound_files import read_sound
from mbti_audio.waves import FULL_SCALE
from mbti_core.data.rng import Draws
from mbti_core.errors import DataUnavailableError

_ENDINGS = (".wav", ".flac", ".ogg")
_ONE = torch.zeros(1, dtype=torch.int64)
_MAINS = 50  # Hz
_SECONDS = 5  # of babble, before it repeats
_VOICES = 6
_PARTIALS = 30
_CORNERS = 100  # per second: how often a voice's pitch and formants are known


@dataclass(frozen=True)
class Ambience:
    """Recordings laid end to end.

    Attributes:
        flat: (total,) float32.
        starts: (n,) int64, where each recording starts.
        lengths: (n,) int64, its samples; at least 1.
    """

    flat: Tensor
    starts: Tensor
    lengths: Tensor


@lru_cache(maxsize=4)
def ambience(sound: str, rate: int) -> Ambience:
    """Return ``babble``, ``hum`` or the recordings at a path, at ``rate`` samples per second; read once.

    Raises:
        DataUnavailableError: If there is no sound.
        DataFormatError: If a file is none.
    """
    made = {"babble": babble, "hum": hum}.get(sound)
    recordings = [made(rate)] if made else recorded(Path(sound), rate)
    lengths = torch.tensor([len(wave) for wave in recordings])
    return Ambience(torch.cat(recordings), lengths.cumsum(0) - lengths, lengths)


def recorded(path: Path, rate: int) -> list[Tensor]:
    """Return the sounds of a folder, by path, or of one file.

    Raises:
        DataUnavailableError: If there is none.
        DataFormatError: If a file is no sound.
    """
    below = sorted(file for file in path.rglob("*") if file.suffix.lower() in _ENDINGS)
    files: Sequence[Path] = below if path.is_dir() else [path]
    if not files:
        raise DataUnavailableError(
            f"There is no sound in {str(path)!r}: expected files named {', '.join(_ENDINGS)}.",
            "Name a folder of recordings, or take the sound 'babble' or 'hum'.",
        )
    return [read_sound(file, rate).float() / FULL_SCALE for file in files]


def hum(rate: int) -> Tensor:
    """Return one second of the mains: 50 Hz and its first harmonics, the k-th at 1 / k."""
    time = torch.arange(rate, dtype=torch.float64) / rate
    phases = Draws(0).stream("hum").uniform(_ONE, (8,))[0].tolist()
    parts = [torch.sin(2 * math.pi * (k * _MAINS * time + u)) / k for k, u in enumerate(phases, 1)]
    return torch.stack(parts).sum(0).float()


def babble(rate: int) -> Tensor:
    """Return five seconds of several voices that speak at once without words."""
    draws = Draws(0).stream("babble")
    voices = [_voice(draws.stream(k), rate).roll(k * _SECONDS * rate // _VOICES) for k in range(_VOICES)]
    return torch.stack(voices).sum(0).float()


def _voice(draws: Draws, rate: int) -> Tensor:
    """Return one voice: harmonics of a wandering pitch under two wandering formants, in syllables, silent at the ends.

    The ends of each voice lie elsewhere in the babble, so that it repeats without a click.
    """
    count = _CORNERS * _SECONDS
    pitch = (90 + 140 * draws.stream("pitch").uniform(_ONE)) * (0.9 + 0.2 * _wandering(draws, "tone", 3))
    first, second = 300 + 500 * _wandering(draws, "f1", 6), 900 + 1300 * _wandering(draws, "f2", 6)
    order = torch.arange(1, _PARTIALS + 1, dtype=torch.float64)[:, None]
    hertz = order * pitch  # (partials, count)
    weights = 1 / (1 + ((hertz - first) / 100) ** 2) + 0.5 / (1 + ((hertz - second) / 150) ** 2)
    weights *= (2 * _wandering(draws, "syllables", 8) - 0.6).clamp_min(0) * (hertz < rate / 2)
    weights[:, [0, count - 1]] = 0
    phase = (2 * math.pi / rate * _line(pitch[None], _SECONDS * rate)).cumsum(1)
    return (_line(weights, _SECONDS * rate) * (order * phase).sin()).sum(0)


def _wandering(draws: Draws, name: str, per_second: int) -> Tensor:
    """Return values in [0, 1) of a line that turns so many times per second."""
    return _line(draws.stream(name).uniform(_ONE, (per_second * _SECONDS,)).double(), _CORNERS * _SECONDS)[0]


def _line(corners: Tensor, count: int) -> Tensor:
    """Return (n, count) on straight lines between corners (n, k)."""
    return functional.interpolate(corners[None], count, mode="linear", align_corners=True)[0]
