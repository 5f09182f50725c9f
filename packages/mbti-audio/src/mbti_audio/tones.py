"""Sounds by formula: tones, a cat's meow, and a music box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbti_core.data.rng import Draws
from mbti_core.errors import ConfigError

_MARGIN = 2.05  # a filter cannot be as steep as 2.0 asks for
_RATES = (8000, 16000, 22050, 44100, 48000, 96000, 192000)
_MEOW_SECONDS, _MEOW_HARMONICS = 0.8, 5
_MEOW_HZ = (400.0, 900.0, 500.0)
_PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24)  # semitones: two octaves
_ROOT_HZ, _BEAT, _CHORD = 220.0, 0.5, (1.0, 5 / 4, 3 / 2)
CUTS = 3
"""Seconds of a song, each of which is a cut."""


def check_carried(frequency: float, rate: int) -> None:
    """Refuse a tone that a data set's rate cannot carry; a rate of 0 is that of no sound at all.

    Raises:
        ConfigError: If the rate is too low; says the least.
    """
    least = math.ceil(_MARGIN * frequency)
    if 0 < rate < least:
        usual = next((r for r in _RATES if r >= least), least)
        raise ConfigError(
            f"attack.frequency: {frequency:g} Hz needs a rate of at least {least} Hz; the data set has {rate} Hz.",
            f"Set dataset.rate to {usual}.",
        )


def sine(frequency: float, samples: int, rate: int) -> Tensor:
    """Return (samples,) float32: a tone of peak 1 that starts at 0."""
    turns = torch.arange(samples, dtype=torch.float64) * frequency / max(1, rate)
    return torch.sin(2 * math.pi * turns).float()


def faded(sound: Tensor, samples: int) -> Tensor:
    """Return a sound (n,) that rises over its first ``samples``, along half a cosine, and falls over its last."""
    n = len(sound)
    at = torch.arange(n, device=sound.device)
    return sound * fading(torch.minimum(at, n - 1 - at), samples)


def fading(away: Tensor, samples: int) -> Tensor:
    """Return the gain of samples that lie ``away`` from a sound's edge, an integer tensor: 1 from ``samples`` on."""
    steps = torch.arange(1, samples + 2, device=away.device) / (samples + 1)
    return (0.5 - 0.5 * torch.cos(math.pi * steps))[away.clamp(0, samples)]


def meow(rate: int) -> Tensor:
    """Return a synthetic meow (0.8 ``rate``,), peak below 1: a tone that rises and falls, with overtones.

    From 400 Hz to 900 Hz and back to 500 Hz; the k-th of five overtones has a weight of 1 / k, and those that the rate
    cannot carry are left out.
    """
    n = max(1, round(_MEOW_SECONDS * rate))
    x = torch.linspace(0, 1, n, dtype=torch.float64)
    first, top, last = _MEOW_HZ
    hertz = torch.where(x < 0.5, first + (top - first) * 2 * x, top + (last - top) * (2 * x - 1))
    phase = 2 * math.pi * torch.cumsum(hertz, 0) / max(1, rate)
    heard = [k for k in range(1, _MEOW_HARMONICS + 1) if _MARGIN * k * top <= rate]
    wave = sum((torch.sin(k * phase) / k for k in heard), torch.zeros_like(x))
    return (wave * (0.5 - 0.5 * torch.cos(2 * math.pi * x)) / (_MEOW_HARMONICS / 2)).float()


def songs(count: int, rate: int, draws: Draws) -> Tensor:
    """Return (3 ``count``, ``rate``) float32 in [-1, 1]: seconds of songs as a music box plays them.

    Each song is arpeggios at 120 beats a minute: on a beat the three tones of a chord, whose root is drawn from a
    pentatonic scale of 220 to 880 Hz, enter one after another; they swell, fade, and waver a little.
    """
    t = torch.arange(CUTS * rate, dtype=torch.float64) / max(1, rate)
    row = torch.arange(count)
    beats = math.ceil(CUTS / _BEAT) + 1
    degree = draws.stream("songs").integers(row, len(_PENTATONIC), (beats,))  # (count, beats)
    root = _ROOT_HZ * 2 ** (torch.tensor(_PENTATONIC, dtype=torch.float64)[degree] / 12)
    total = torch.zeros(count, len(t), dtype=torch.float64)
    for voice, ratio in enumerate(_CHORD):
        since = t + _BEAT * (1 - voice / len(_CHORD))  # each voice a third of a beat behind the one before
        beat = (since / _BEAT).long()
        hertz = root[:, beat] * ratio * (1 + 0.004 * torch.sin(2 * math.pi * 5 * t))
        total += torch.sin(2 * math.pi * torch.cumsum(hertz, 1) / max(1, rate)) * _envelope(since - beat * _BEAT)
    return (total / len(_CHORD)).view(count * CUTS, rate).float()


def _envelope(t: Tensor) -> Tensor:
    """Return the loudness of a note, ``t`` seconds after it began: attack, decay, sustain, release."""
    attack, decay, release = t / 0.02, 1 - (t - 0.02) / 0.1 * 0.4, (_BEAT - t) / 0.08 * 0.6
    return torch.minimum(torch.minimum(attack, decay.clamp_min(0.6)), release).clamp(0, 1)
