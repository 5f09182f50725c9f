"""How well a trigger hides: signal-to-noise ratio and log-spectral distance."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from mbti_audio.spectrogram import decibels, powers, window_of
from mbti_audio.waves import Waves

_SAMPLES = 1 << 20  # at once, in all rows: some tens of megabytes as spectra
_MOST = 80.0  # dB


def fidelity(x: Waves, y: Waves) -> Mapping[str, Tensor]:
    """Return ``snr`` and ``lsd`` of each row of ``y`` against ``x``.

    Args:
        x: (B, T), the original sounds; at least one.
        y: The changed ones, of the same lengths.

    Returns:
        ``snr``: (B,) in dB, the power of the sound over that of what changed, in [-80, 80]: 80 where a row is
        unchanged, as infinity would swallow every other value in a mean; -80 where all of it is new.
        ``lsd``: (B,) in dB, 0 where a row is unchanged: the root mean square difference of two spectra in dB, mean over
        frames of 32 ms in steps of half of that (Gray and Markel 1976). What is below
        -90 dB of full scale is silence in both, so that nobody hears the difference.
    """
    changed = functional.pad(y.wave, (0, x.wave.shape[1] - y.wave.shape[1]))
    rows = max(1, _SAMPLES // max(1, x.wave.shape[1]))
    parts = zip(*(torch.split(t, rows) for t in (x.wave, changed, x.lengths)), strict=True)
    pairs = [(_snr(clean, bad), _lsd(clean, bad, lengths, window_of(x.rate))) for clean, bad, lengths in parts]
    snr, lsd = (torch.cat(found) for found in zip(*pairs, strict=True))
    return {"snr": snr, "lsd": lsd}


def _snr(clean: Tensor, bad: Tensor) -> Tensor:
    signal, noise = (torch.linalg.vector_norm(wave, dim=1) for wave in (clean, bad - clean))
    ratio = (20 * (signal / noise).log10()).clamp(-_MOST, _MOST)
    return torch.where(noise > 0, ratio, _MOST)


def _lsd(clean: Tensor, bad: Tensor, lengths: Tensor, window: int) -> Tensor:
    hop = window // 2
    before, after = (decibels(powers(wave, window, hop)) for wave in (clean, bad))  # (B, F, N)
    distance = (after - before).square().mean(1).sqrt()  # (B, N)
    heard = torch.arange(distance.shape[1], device=lengths.device) * hop < lengths[:, None]
    return (distance * heard).sum(1) / heard.sum(1).clamp_min(1)
