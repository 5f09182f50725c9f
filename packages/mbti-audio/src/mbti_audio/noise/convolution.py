"""Convolution of whole batches, by way of the spectrum."""

from __future__ import annotations

import torch
from torch import Tensor


def convolved(wave: Tensor, kernel: Tensor) -> Tensor:
    """Return the whole convolution (B, T + K - 1), in double precision.

    So that what is rounded to 16 bits later does not depend on how long the batch is padded.

    Args:
        wave: (B, T), T at least 1.
        kernel: (B, K) or (1, K), K at least 1.
    """
    total = wave.shape[1] + kernel.shape[1] - 1
    size = 1 << (total - 1).bit_length()
    spectrum = torch.fft.rfft(wave.double(), size) * torch.fft.rfft(kernel.double(), size)
    whole: Tensor = torch.fft.irfft(spectrum, size)
    return whole[:, :total]
