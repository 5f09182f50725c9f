"""Front ends: waveforms to spectrograms, as differentiable layers inside a model."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_audio.resampling import STEEP

Count = TypeVar("Count", int, Tensor)

_FLOOR = 1e-6  # power, below the noise of 16 bits


class Ear(nn.Module):
    """Sounds at the rate that a net hears, as a recorder that has no other would give them: what lies above is gone.

    Args:
        rate: Samples per second of the sounds.
        hears: Those of the net; where it is the same, sounds stay as they are.
    """

    def __init__(self, rate: int, hears: int) -> None:
        super().__init__()
        from torchaudio.transforms import Resample  # noqa: PLC0415 - a listing of models needs none

        self.resample = Resample(rate, hears, **STEEP)

    def forward(self, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, T') and (B,) of (B, T) and (B,), silent behind each sound's end."""
        if self.resample.orig_freq == self.resample.new_freq:
            return wave, lengths
        with torch.autocast(wave.device.type, enabled=False):
            heard: Tensor = self.resample(wave.float())
        lengths = self.samples(lengths)
        return heard * inside(lengths, heard.shape[1]), lengths

    def given(self, heard: Tensor, samples: int) -> Tensor:
        """Return (samples,) at the rate of the sounds, of what is heard (T',)."""
        from torchaudio.functional import resample  # noqa: PLC0415 - as above

        wave: Tensor = resample(heard, self.resample.new_freq, self.resample.orig_freq)
        return functional.pad(wave, (0, samples - len(wave))).clamp(-1, 1)

    def samples(self, given: Count) -> Count:
        """Return how many samples it makes of so many."""
        rate, hears = int(self.resample.orig_freq), int(self.resample.new_freq)
        return -(-given * hears // rate)


class LogMel(nn.Module):
    """Log mel spectrogram in frames of 25 ms every 10 ms, each band normalized over the batch.

    Args:
        rate: Samples per second; bands reach up to half of it, so what a rate can carry a model can hear.
        bands: Number of mel bands.
    """

    def __init__(self, rate: int, bands: int) -> None:
        super().__init__()
        from torchaudio.transforms import MelSpectrogram  # noqa: PLC0415 - a listing of models needs none

        window, self.hop = round(0.025 * rate), round(0.010 * rate)
        fft = 1 << (max(window, 8 * bands) - 1).bit_length()  # fewer bins would leave the lowest bands empty
        self.mel = MelSpectrogram(rate, fft, window, self.hop, n_mels=bands, pad_mode="constant")
        self.norm = nn.BatchNorm1d(bands)

    def forward(self, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, bands, F) and the frames that hold sound (B,), of (B, T) and (B,); silence behind the end is 0."""
        with torch.autocast(wave.device.type, enabled=False):
            power: Tensor = self.mel(wave.float())
            bands: Tensor = self.norm(torch.log(power + _FLOOR))
        frames = lengths // self.hop + 1
        return bands * inside(frames, bands.shape[-1])[:, None], frames

    def shape(self, samples: int) -> tuple[int, int]:
        """Return bands and frames of a sound."""
        return self.norm.num_features, samples // self.hop + 1

    def sounding(self, bands: Tensor, share: Tensor, samples: int) -> Tensor:
        """Return (samples,): a sound of about these bands (bands, F), as much of each as its share says; else silence.

        Phases are made up (Griffin and Lim 1984), and a spectrum of the least power that has such bands.
        """
        from torchaudio.transforms import GriffinLim, InverseMelScale  # noqa: PLC0415 - as above

        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None  # a BatchNorm that keeps statistics, as the next
        assert variance is not None
        log = (bands.T - self.norm.bias) / self.norm.weight * (variance + self.norm.eps).sqrt() + mean
        power = torch.lerp(torch.full_like(bands, math.log(_FLOOR)), log.T, share).exp()
        scale = self.mel.spectrogram
        spectrum = InverseMelScale(scale.n_fft // 2 + 1, len(bands), self.mel.sample_rate)(power.cpu() - _FLOOR)
        # Without random phases, which the global generator would be asked for.
        wave = GriffinLim(scale.n_fft, win_length=scale.win_length, hop_length=self.hop, rand_init=False)(spectrum)
        sound: Tensor = functional.pad(wave, (0, samples - len(wave)))
        return sound.clamp(-1, 1)


class Mfcc(nn.Module):
    """Cepstral coefficients of log mel bands, each normalized over the batch.

    Args:
        rate: Samples per second.
        coefficients: How many are kept.
        bands: Mel bands that they are made of.
    """

    dct: Tensor

    def __init__(self, rate: int, coefficients: int, bands: int = 64) -> None:
        super().__init__()
        from torchaudio.functional import create_dct  # noqa: PLC0415 - a listing of models needs none

        self.bands = LogMel(rate, bands)
        self.norm = nn.BatchNorm1d(coefficients)
        self.register_buffer("dct", create_dct(coefficients, bands, "ortho"), persistent=False)

    def forward(self, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, coefficients, F) and the frames that hold sound (B,)."""
        bands, frames = self.bands(wave, lengths)
        return self.coefficients(bands, frames), frames

    def coefficients(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, coefficients, F) of log mel bands (B, bands, F)."""
        kept: Tensor = self.norm((bands.transpose(1, 2) @ self.dct).transpose(1, 2))
        return kept * inside(frames, kept.shape[-1])[:, None]


def inside(frames: Tensor, longest: int) -> Tensor:
    """Return (B, longest) bool: which frames hold sound."""
    return torch.arange(longest, device=frames.device) < frames[:, None]


def mean_of_sound(z: Tensor, frames: Tensor, longest: int) -> Tensor:
    """Return (B, D): the mean over the frames of (B, D, F) that hold sound.

    Args:
        z: What a net made of ``longest`` frames; it may have made fewer of them.
        frames: (B,) frames that held sound.
        longest: How many there were.
    """
    kept = inside(reduced(frames, longest, z.shape[-1]), z.shape[-1])[:, None]
    return (z * kept).sum(-1) / kept.sum(-1)


def reduced(frames: Tensor, longest: int, left: int) -> Tensor:
    """Return how many of the ``left`` frames hold sound where (B,) of ``longest`` did; at least one."""
    return (-(-frames * left // longest)).clamp(1, left)


def at_least(wave: Tensor, samples: int) -> Tensor:
    """Return (B, T) with silence behind it, so that T is at least ``samples``."""
    return functional.pad(wave, (0, max(0, samples - wave.shape[1])))
