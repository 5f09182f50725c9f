"""Levels of frequencies over time, their picture, and the file that holds it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import torch
from scipy import signal

from mbti_audio.spectrogram import QUIETEST, decibels, png, powers, spectrogram, window_of


def tone(hertz: float, peak: float = 0.5, rate: int = 16000, samples: int = 16000) -> torch.Tensor:
    return peak * torch.sin(2 * torch.pi * hertz * torch.arange(samples, dtype=torch.float64) / rate).float()


def brightness(picture: torch.Tensor) -> np.ndarray:
    return picture.int().sum(-1).numpy()


def unpacked(file: bytes) -> np.ndarray:
    """Read a PNG of 8-bit RGB lines without filter, checking every checksum."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, {}
    while at < len(file):
        (length,) = struct.unpack(">I", file[at : at + 4])
        body = file[at + 4 : at + 8 + length]
        assert struct.unpack(">I", file[at + 8 + length : at + 12 + length]) == (zlib.crc32(body),)
        found[body[:4]] = body[4:]
        at += 12 + length
    width, height, depth, color, *rest = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (depth, color, rest) == (8, 2, [0, 0, 0])
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


@pytest.mark.parametrize(("rate", "window"), [(8000, 256), (16000, 512), (22050, 512), (44100, 1024), (100, 4), (0, 4)])
def test_a_window_is_a_power_of_two_near_32_milliseconds(rate: int, window: int) -> None:
    assert window_of(rate) == window


def test_powers_are_those_of_scipy() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (2, 5000)).astype(np.float32)
    found = powers(torch.from_numpy(wave), 512, 128).numpy()
    window = signal.windows.hann(512, sym=False)
    for row, levels in zip(wave, found, strict=True):
        padded = np.pad(row.astype(np.float64), 256)
        frames = np.stack([padded[at : at + 512] for at in range(0, 5001, 128)], 1)
        exact = np.abs(np.fft.rfft(frames * window[:, None], axis=0) * 2 / window.sum()) ** 2
        assert levels == pytest.approx(exact, rel=1e-3, abs=1e-9)


def test_a_tone_of_full_scale_has_zero_decibels() -> None:
    levels = decibels(powers(tone(1000, peak=1.0)[None], 512, 256))[0, :, 10]
    assert float(levels.max()) == pytest.approx(0, abs=0.01)
    assert int(levels.argmax()) == 32
    assert float(decibels(torch.zeros(1))) == pytest.approx(QUIETEST)


@pytest.mark.parametrize("hertz", [440, 3000, 7000])
def test_the_tone_peaks_where_it_should(hertz: int) -> None:
    light = brightness(spectrogram(tone(hertz), 16000))
    assert light.shape == (128, 256)
    rows = light[:, 5:-5].argmax(0)
    assert np.abs(rows - (127 - hertz / 8000 * 128)).max() <= 1.5  # upward: the last line is 0 Hz
    assert light[:, 5:-5].min(0).max() == 0


def test_a_chirp_goes_up() -> None:
    time = np.arange(16000) / 16000
    chirp = torch.from_numpy(0.3 * signal.chirp(time, 100, 1, 7900).astype(np.float32))
    rows = brightness(spectrogram(chirp, 16000)).argmax(0)
    assert rows == pytest.approx(127 - np.linspace(100, 7900, 256) / 8000 * 128, abs=3)


def test_louder_is_lighter() -> None:
    lights = [int(brightness(spectrogram(tone(1000, peak), 16000)).max()) for peak in (1e-3, 1e-2, 0.1)]
    assert lights == sorted(set(lights))
    assert brightness(spectrogram(torch.zeros(16000), 16000)).max() == 0


def test_four_samples_are_seen_in_a_long_sound() -> None:
    wave = torch.zeros(30 * 22050)
    wave[300000:300004] = -1
    columns = np.flatnonzero(brightness(spectrogram(wave, 22050)).any(0))
    assert np.abs(columns - 300000 / len(wave) * 256).max() <= 2


@pytest.mark.parametrize("samples", [0, 1, 5, 300])
def test_short_sounds_have_a_picture(samples: int) -> None:
    assert spectrogram(torch.full((samples,), 0.1), 16000).shape == (128, 256, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (128, 256, 3)])
def test_a_png_holds_the_pixels(shape: tuple[int, ...]) -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    assert np.array_equal(unpacked(png(pixels)), pixels.numpy())
