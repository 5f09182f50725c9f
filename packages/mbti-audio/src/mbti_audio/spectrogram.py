"""What a sound looks like: the level of each frequency over time, in color."""

from __future__ import annotations

import struct
import zlib

import torch
from torch import Tensor
from torch.nn import functional

QUIETEST = -90.0
"""dB below full scale of what counts as silence: one level of 16 bits."""

_LOUDEST = -10.0  # dB; a wave of full scale has 0, speech seldom more than -20 at one frequency
_HEIGHT, _WIDTH = 128, 256  # pixels
_WINDOW = 0.032  # seconds
_COLORS = ((0, 0, 0), (45, 20, 95), (140, 40, 130), (225, 85, 75), (250, 175, 75), (255, 250, 205))


def window_of(rate: int) -> int:
    """Return the samples that one spectrum sees: the power of 2 next to 32 ms."""
    return 1 << max(2, round(_WINDOW * rate).bit_length() - 1)


def powers(wave: Tensor, window: int, hop: int) -> Tensor:
    """Return the power of each frequency in each frame: (B, window / 2 + 1, T // hop + 1).

    Frames are centered on samples 0, hop, 2 hop ...; a sine of full scale has 1.

    Args:
        wave: (B, T) in [-1, 1].
        window: Samples of a frame, even.
        hop: Samples from one frame to the next.
    """
    shape = torch.hann_window(window, device=wave.device)
    padded = functional.pad(wave, (window // 2, window // 2))
    spectrum = torch.stft(padded, window, hop, window=shape, center=False, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1) * (2 / shape.sum()) ** 2


def decibels(power: Tensor) -> Tensor:
    """Return powers as levels, at least ``QUIETEST``."""
    return 10 * power.clamp_min(10 ** (QUIETEST / 10)).log10()


def spectrogram(wave: Tensor, rate: int) -> Tensor:
    """Return a picture of one sound, uint8 (128, 256, 3): time to the right, frequency upward to half the rate.

    Colors go from black at -90 dB to pale yellow at -10 dB below full scale, in every picture alike. A pixel shows the
    loudest of what falls into it, so that a short trigger in a long sound is seen.

    Args:
        wave: (n,) in [-1, 1].
        rate: Samples per second.
    """
    window = window_of(rate)
    hop = min(max(1, len(wave) // _WIDTH), window // 2)
    loudest = functional.adaptive_max_pool2d(powers(wave[None], window, hop), (_HEIGHT, _WIDTH))[0].flip(0)
    share = ((decibels(loudest) - QUIETEST) / (_LOUDEST - QUIETEST)).clamp(max=1)
    return _palette(wave.device)[(share * 255).round().long()]


def _palette(device: torch.device) -> Tensor:
    """Return (256, 3) uint8."""
    corners = torch.tensor(_COLORS, dtype=torch.float32, device=device).T[None]  # (1, 3, corners)
    return functional.interpolate(corners, 256, mode="linear", align_corners=True)[0].T.round().to(torch.uint8)


def png(pixels: Tensor) -> bytes:
    """Return uint8 (H, W, 3) as a PNG file."""
    height, width = pixels.shape[:2]
    lines = functional.pad(pixels.cpu().reshape(height, width * 3), (1, 0))  # each line starts with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB, not interlaced
    data = zlib.compress(lines.contiguous().numpy().tobytes(), 1)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
