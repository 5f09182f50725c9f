"""Noises that transform: a room, an input driven too hard, a telephone line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import signal

from mbti_audio.noise.bandlimit import BandLimit
from mbti_audio.noise.clip import Clip
from mbti_audio.noise.convolution import convolved
from mbti_audio.noise.reverb import Reverb
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws


def context(rows: int) -> NoiseContext:
    index = torch.arange(rows)
    return NoiseContext(index, index % 2, 2, Draws(5))


def sounds(*rows: np.ndarray, rate: int = 16000) -> Waves:
    wave = torch.from_numpy(np.stack(rows).astype(np.float32))
    return Waves(wave, torch.full((len(rows),), wave.shape[1]), rate)


def level(wave: torch.Tensor) -> np.ndarray:
    found: np.ndarray = np.sqrt((wave.double().numpy() ** 2).mean(1))
    return found


def test_convolution_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    wave, kernel = rng.normal(size=(3, 50)), rng.normal(size=(3, 17))
    exact = np.stack([signal.convolve(a, b) for a, b in zip(wave, kernel, strict=True)])
    assert convolved(torch.from_numpy(wave), torch.from_numpy(kernel)).numpy() == pytest.approx(exact, abs=1e-12)
    one = convolved(torch.from_numpy(wave), torch.from_numpy(kernel[:1])).numpy()
    assert one[2] == pytest.approx(signal.convolve(wave[2], kernel[0]), abs=1e-12)


@pytest.mark.parametrize("rt60", [0.2, 0.5])
def test_reverberation_falls_by_sixty_decibels_in_its_time(rt60: float) -> None:
    click = np.zeros(16000)
    click[0] = 1.0
    tail = Reverb(rt60=rt60).apply(sounds(*[click] * 8), context(8)).wave.double().numpy()[:, 1:]
    power = (tail**2).mean(0)[: int(rt60 * 16000)]
    left = 10 * np.log10(power[::-1].cumsum()[::-1])  # Schroeder's backward integral
    time = np.arange(len(left)) / 16000
    early = time < 0.4 * rt60  # later, levels of 16 bits and the end of the tail bend the line
    slope = np.polyfit(time[early], left[early], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=0.05)


def test_reverberation_has_its_share_of_the_energy() -> None:
    click = np.zeros(16000)
    click[0] = 0.9
    for rt60 in (0.1, 0.5):
        energy = Reverb(rt60=rt60).apply(sounds(*[click] * 4), context(4)).wave.double().numpy() ** 2
        assert energy[:, 1:].sum(1) / energy[:, 0] == pytest.approx(rt60 / 0.5, rel=0.02)


def test_reverberation_keeps_loudness_and_starts_with_the_sound(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([8000, 8000])
    wave = x.wave.clone()
    wave[:, :1000] = 0
    x = x.with_wave(wave)
    y = Reverb(rt60=0.8).apply(x, context(2))
    assert level(y.wave) == pytest.approx(level(x.wave), rel=1e-3)
    assert not bool(y.wave[:, :1000].any())
    assert not torch.equal(y.wave[0] / x.wave[0].norm(), y.wave[1] / x.wave[1].norm())


def test_clipping_cuts_at_a_share_of_the_peak(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([3000, 800])
    peak = np.abs(x.wave.numpy()).max(1, keepdims=True)
    found = Clip(cut=0.6).apply(x, context(2)).wave.numpy()
    assert np.abs(found - np.clip(x.wave.numpy(), -0.4 * peak, 0.4 * peak)).max() <= 0.5 / 32768 + 1e-7
    assert np.abs(found).max(1) == pytest.approx(0.4 * peak[:, 0], abs=1 / 32768)


def test_a_louder_sound_is_clipped_alike(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([3000])
    quiet, loud = Clip().apply(x, context(1)), Clip().apply(x.with_wave(2 * x.wave), context(1))
    assert loud.wave.numpy() == pytest.approx(2 * quiet.wave.numpy(), abs=2 / 32768)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_band_is_that_of_scipy(rate: int, waves_of: Callable[..., Waves]) -> None:
    x = waves_of([3000], rate=rate)
    reach = round(0.0125 * rate)
    kernel = signal.firwin(2 * reach + 1, [300, 3400], window="blackman", pass_zero=False, fs=rate, scale=False)
    exact = signal.convolve(x.wave[0].double().numpy(), kernel)[reach : reach + 3000]
    assert np.abs(BandLimit().apply(x, context(1)).wave[0].numpy() - exact).max() <= 0.5 / 32768 + 1e-7


@pytest.mark.parametrize(
    ("hertz", "left"), [(60, -60), (150, -60), (300, -6), (1000, 0), (3400, -6), (3600, -60), (7000, -60)]
)
def test_tones_pass_inside_the_band_alone(hertz: int, left: float) -> None:
    tone = 0.9 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)
    found = BandLimit().apply(sounds(tone), context(1)).wave[0, 2000:-2000].double().numpy()
    gain = 20 * np.log10(max(1e-9, np.sqrt((found**2).mean()) / (0.9 / np.sqrt(2))))
    if left < -6:
        assert gain < left
    else:
        assert gain == pytest.approx(left, abs=0.1)


def test_a_band_neither_delays_nor_lengthens() -> None:
    click = np.zeros(4001)
    click[2000] = 0.9
    found = BandLimit().apply(sounds(click), context(1)).wave[0].numpy()
    assert int(np.abs(found).argmax()) == 2000
    assert found == pytest.approx(found[::-1], abs=1 / 32768)


def test_a_share_of_the_whole_sound_stays() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 6000 * np.arange(8000) / 16000)
    found = BandLimit(strength=0.9).apply(sounds(tone), context(1)).wave[0, 1000:-1000].numpy()
    assert found == pytest.approx(0.1 * tone[1000:-1000], abs=2 / 32768)


def test_a_band_above_half_the_rate_lets_the_top_through() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 3700 * np.arange(8000) / 8000)
    found = BandLimit(high=20000).apply(sounds(tone, rate=8000), context(1)).wave[0, 1000:-1000].numpy()
    assert found == pytest.approx(tone[1000:-1000], abs=2 / 32768)


def test_an_empty_band_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"low: expected less than high \(200 Hz\), got 300"):
        BandLimit(high=200)
    with pytest.raises(ValidationError):
        Clip(cut=1.0)
