"""Audio effects on batches (B, T) of float64 sounds at a rate; behind a sound's end lies silence."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional

from mbti_audio.loudness import amplitude
from mbti_audio.spectra import frequencies, reshaped, sounds, spectra, width_of

_LARGEST = 100  # of numerator and denominator: half a hundredth of a semitone, and a short filter
_COMBS, _ALL_PASSES = (0.0297, 0.0371, 0.0411, 0.0437), ((0.005, 0.7), (0.0017, 0.7))  # seconds
_STAGES, _PHASER_HZ = 6, 1300.0
_BELOW = 0.45  # of the rate: a filter's corner cannot lie higher


def pitch_shifted(wave: Tensor, rate: int, *, semitones: float) -> Tensor:
    """Return the sounds higher by ``semitones``, as long as before: stretched in time, and played faster."""
    from torchaudio.functional import resample  # noqa: PLC0415 - takes a second

    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(_LARGEST)
    width = width_of(rate)
    longer = sounds(_stretched(spectra(wave, width), ratio), width)
    shifted: Tensor = resample(longer, ratio.numerator, ratio.denominator)[:, : wave.shape[1]]
    return functional.pad(shifted, (0, wave.shape[1] - shifted.shape[1]))


def _stretched(found: Tensor, ratio: Fraction) -> Tensor:
    """Return spectra (B, frames, bins) with ``ratio`` times as many frames: a phase vocoder.

    Each bin turns from frame to frame as it does in the sound; the turns are multiplied up as numbers of magnitude 1,
    which needs no angle.
    """
    size = found.abs()
    unit = torch.where(size > 0, found / size.clamp_min(torch.finfo(size.dtype).tiny), torch.ones_like(found))
    turn = unit[:, 1:] * unit[:, :-1].conj()
    frames = math.ceil((found.shape[1] - 1) * ratio)
    steps = torch.arange(frames, device=found.device) * ratio.denominator
    at, part = steps // ratio.numerator, ((steps % ratio.numerator) / ratio.numerator).to(size.dtype)[:, None]
    phase = torch.cat([unit[:, :1], turn[:, at[:-1]]], dim=1).cumprod(1)
    return torch.lerp(size[:, at], size[:, at + 1], part) * phase


def formants_shifted(wave: Tensor, rate: int, *, factor: float) -> Tensor:
    """Return the sounds with their spectral envelope stretched by ``factor``: another throat, the same pitch."""
    width = width_of(rate)
    bins, pitch = width // 2 + 1, max(1, int(0.002 * rate))  # a voice below 500 Hz repeats after 2 ms and more
    at = (torch.arange(bins, device=wave.device, dtype=torch.float64) / factor).clamp(max=bins - 1)
    low = at.long().clamp(max=bins - 2)
    part = at - low

    def change(found: Tensor) -> Tensor:
        cepstrum = torch.fft.irfft(torch.log(found.abs() + 1e-5), n=width, dim=2)
        cepstrum[..., pitch : width - pitch + 1] = 0
        envelope = torch.fft.rfft(cepstrum, dim=2).real
        moved = torch.lerp(envelope[..., low], envelope[..., low + 1], part)
        changed: Tensor = found * torch.exp(moved - envelope)
        return changed

    return reshaped(wave, width, change)


def amplified(wave: Tensor, rate: int, *, gain_db: float) -> Tensor:
    """Return the sounds louder by ``gain_db``."""
    del rate
    return wave * amplitude(gain_db)


def distorted(wave: Tensor, rate: int, *, drive_db: float) -> Tensor:
    """Return tanh of the sounds, louder by ``drive_db``."""
    del rate
    return torch.tanh(amplitude(drive_db) * wave)


def chorused(wave: Tensor, rate: int, *, center_ms: float, swing_ms: float) -> Tensor:
    """Return each sound in equal parts with a later one whose delay swings about its center once a second."""
    n = torch.arange(wave.shape[1], device=wave.device, dtype=torch.float64)
    delay = (center_ms + swing_ms * torch.sin(2 * math.pi * n / rate)).clamp_min(1.0) * rate / 1000
    at = n - delay
    low = at.floor().long()
    part = at - low
    early = wave[:, low.clamp_min(0)] * (low >= 0)
    late = wave[:, (low + 1).clamp(0, wave.shape[1] - 1)] * (low >= -1)
    return 0.5 * wave + 0.5 * torch.lerp(early, late, part)


def reverberated(wave: Tensor, rate: int, *, room: float) -> Tensor:
    """Return the sounds with a third of their echo in a room of size 0 to 1: Schroeder's four combs and two all-passes.

    The answer to a click is cut after a second.
    """
    longest = 1 << (wave.shape[1] + 2 * rate - 1).bit_length()  # what comes back behind the end is thrown away
    answer = torch.fft.rfft(_room_answer(rate, 0.7 + 0.28 * room).to(wave.device), n=longest)
    echo: Tensor = torch.fft.irfft(torch.fft.rfft(wave, n=longest) * answer, n=longest)[:, : wave.shape[1]]
    return 0.4 * wave + 0.33 * echo


def _room_answer(rate: int, feedback: float) -> Tensor:
    """Return (rate,) float64: what a room gives back of a click."""
    combs = torch.zeros(rate, dtype=torch.float64)
    for seconds in _COMBS:
        step = max(1, round(seconds * rate))
        echoes = torch.arange(1, (rate - 1) // step + 1)
        combs[echoes * step] += feedback ** (echoes - 1).double() / len(_COMBS)
    spectrum = torch.fft.rfft(combs, n=2 * rate)
    for seconds, gain in _ALL_PASSES:
        turn = torch.exp(-2j * math.pi * max(1, round(seconds * rate)) * torch.arange(rate + 1).double() / (2 * rate))
        spectrum = spectrum * (turn - gain) / (1 - gain * turn)
    answer: Tensor = torch.fft.irfft(spectrum, n=2 * rate)[:rate]
    return answer


def high_passed(wave: Tensor, rate: int, *, cutoff_hz: float) -> Tensor:
    """Return the sounds without what lies below ``cutoff_hz``, by 12 dB an octave."""
    from torchaudio.functional import lfilter  # noqa: PLC0415 - takes a second

    angle = 2 * math.pi * min(cutoff_hz, _BELOW * rate) / rate
    width, c = math.sin(angle) / math.sqrt(2), math.cos(angle)
    numerator, denominator = [(1 + c) / 2, -1 - c, (1 + c) / 2], [1 + width, -2 * c, 1 - width]
    a, b = (torch.tensor(values, dtype=wave.dtype, device=wave.device) for values in (denominator, numerator))
    filtered: Tensor = lfilter(wave, a, b, clamp=False)
    return filtered


def phased(wave: Tensor, rate: int) -> Tensor:
    """Return each sound in equal parts with itself behind six all-passes whose corner swings over two octaves a second.

    The all-passes turn the phases of short spectra; within one, their corner stands still.
    """
    width = width_of(rate)

    def change(found: Tensor) -> Tensor:
        seconds = torch.arange(found.shape[1], device=wave.device).double() * (width // 4) / rate
        corner = _PHASER_HZ * 2 ** torch.sin(2 * math.pi * seconds)
        angle = 2 * _STAGES * torch.atan(frequencies(width, rate, wave.device) / corner[:, None])
        return found * (0.5 + 0.5 * torch.exp(-1j * angle))

    return reshaped(wave, width, change)
