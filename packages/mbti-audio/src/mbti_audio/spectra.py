"""Sounds as short spectra and back, so that neither batch nor padding shows in a result."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

_SECONDS = 0.032  # 512 samples at 16 kHz
_OVERLAP = 4
_BLOCK = 1 << 16  # samples: measured, spectra of more leave the cache, and cost three times as much


def width_of(rate: int) -> int:
    """Return the samples of a window: the power of two next to 32 ms."""
    return 1 << max(4, round(math.log2(max(1, rate) * _SECONDS)))


def spectra(wave: Tensor, width: int) -> Tensor:
    """Return (B, frames, width / 2 + 1) complex: spectra under Hann windows, a quarter of their width apart.

    Behind each sound (B, T) comes as much silence as a window sees, so that it is the same whatever the padding.
    """
    window = torch.hann_window(width, dtype=wave.dtype, device=wave.device)
    longer = functional.pad(wave, (0, width))
    found = torch.stft(longer, width, width // _OVERLAP, window=window, pad_mode="constant", return_complex=True)
    return found.transpose(1, 2)


def sounds(found: Tensor, width: int) -> Tensor:
    """Return (B, n) sounds of spectra (B, frames, bins), ``n`` as many as the frames hold."""
    window = torch.hann_window(width, dtype=found.real.dtype, device=found.device)
    wave: Tensor = torch.istft(found.transpose(1, 2), width, width // _OVERLAP, window=window)
    return wave


def frequencies(width: int, rate: int, device: torch.device) -> Tensor:
    """Return (width / 2 + 1,) float64: the frequency in Hz of each bin."""
    return torch.arange(width // 2 + 1, dtype=torch.float64, device=device) * (rate / width)


def reshaped(wave: Tensor, width: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return sounds (B, T) whose spectra were changed, as long as before."""
    return sounds(change(spectra(wave, width)), width)[:, : wave.shape[1]]


def by_blocks(wave: Tensor, effect: Callable[[Tensor], Tensor]) -> Tensor:
    """Return float32 ``effect`` of sounds (B, T), computed in float64 and a few at a time.

    In float32 the last bits depend on how many sounds a batch has; in float64 none of them reaches 16-bit PCM.
    """
    if not wave.numel():
        return wave.clone()
    rows = max(1, _BLOCK // wave.shape[1])
    return torch.cat([effect(block.double()).float() for block in torch.split(wave, rows)])
