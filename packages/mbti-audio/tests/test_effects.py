"""Audio effects against formulae, scipy and torchaudio."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import torchaudio.functional as audio
from scipy.signal import butter, sosfilt
from torch import Tensor

from mbti_audio import effects
from mbti_audio.spectra import by_blocks, reshaped, sounds, spectra, width_of
from mbti_core.data.rng import Draws

RATE = 16000
Array = np.ndarray[Any, np.dtype[Any]]


def tone(hertz: float, rate: int = RATE, seconds: float = 1.0, peak: float = 0.5) -> Tensor:
    t = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return peak * torch.sin(2 * math.pi * hertz * t)[None]


def noise(rows: int = 2, samples: int = RATE) -> Tensor:
    return 0.1 * Draws(5).stream("noise").normal(torch.arange(rows), (samples,)).double()


def peak_of(wave: Tensor, rate: int = RATE) -> float:
    values = wave[0].numpy()
    return float(np.abs(np.fft.rfft(values)).argmax() * rate / len(values))


@pytest.mark.parametrize(("semitones", "hertz"), [(10, 784.0), (2, 493.9), (-5, 329.6), (0, 440.0)])
@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_tone_gets_as_much_higher_as_it_should(semitones: float, hertz: float, rate: int) -> None:
    made = effects.pitch_shifted(tone(440, rate), rate, semitones=semitones)
    assert made.shape == (1, rate)
    assert abs(peak_of(made, rate) - hertz) <= 1.1  # bins of 1 Hz
    assert float(made[0, 2000:-2000].abs().max()) == pytest.approx(0.5, rel=0.15)  # it flutters a little


def test_stretching_is_torchaudio_s_phase_vocoder() -> None:
    found, ratio = spectra(noise(), 512) + 0, Fraction(98, 55)  # silence may be -0, of which the angle is pi
    advance = torch.linspace(0, math.pi * 128, 257, dtype=torch.float64)[:, None]
    exact = audio.phase_vocoder(found.transpose(1, 2), 1 / float(ratio), advance).transpose(1, 2)
    made = effects._stretched(found, ratio)
    assert float((made - exact[:, : made.shape[1]]).abs().max()) < 1e-6
    assert exact.shape[1] - made.shape[1] <= 2  # of the silence behind the end


def test_short_spectra_come_back_as_the_sound() -> None:
    for samples in (1, 5, 511, 512, 16000):
        wave = noise(2, samples)
        assert float((reshaped(wave, 512, lambda found: found) - wave).abs().max()) < 1e-12
    found = spectra(tone(1000), 512)
    assert int(found[0, 60].abs().argmax()) == 32  # 1000 / 31.25
    assert sounds(found, 512).shape[1] >= RATE
    assert [width_of(rate) for rate in (1, 8000, 16000, 22050, 44100, 48000)] == [16, 256, 512, 512, 1024, 2048]


def test_blocks_of_rows_give_what_the_whole_gives() -> None:
    wave = noise(9, 12000).float()
    whole = effects.pitch_shifted(wave.double(), RATE, semitones=10).float()
    made = by_blocks(wave, lambda part: effects.pitch_shifted(part, RATE, semitones=10))
    assert made.dtype == torch.float32
    assert float((made - whole).abs().max()) < 1e-7
    assert by_blocks(torch.zeros(0, 7), lambda part: part).shape == (0, 7)


def test_distortion_is_a_hyperbolic_tangent() -> None:
    wave = noise()
    made = effects.distorted(wave, RATE, drive_db=30.0).numpy()
    assert np.abs(made - np.tanh(31.6227766 * wave.numpy())).max() < 1e-9
    assert np.abs(effects.amplified(wave, RATE, gain_db=12.0).numpy() - 3.98107171 * wave.numpy()).max() < 1e-8


def test_a_chorus_is_a_delay_that_swings() -> None:
    n, values = np.arange(RATE), noise(1)[0].numpy()
    at = n - np.maximum(1.0, 10 + 5 * np.sin(2 * np.pi * n / RATE)) * 16
    exact = 0.5 * values + 0.5 * np.interp(at, n, values, left=0.0)
    made = effects.chorused(torch.from_numpy(values)[None], RATE, center_ms=10.0, swing_ms=5.0)[0].numpy()
    inside = at >= 0
    assert np.abs(made - exact)[inside].max() < 1e-12
    assert np.abs(made - 0.5 * values)[at < -1].max() == 0


def test_a_room_echoes_as_its_difference_equations_say() -> None:
    samples, feedback = 8000, 0.7 + 0.28 * 0.6
    click = torch.zeros(1, samples, dtype=torch.float64)
    click[0, 0] = 1.0
    made = effects.reverberated(click, RATE, room=0.6)[0].numpy()
    wet = np.zeros(samples)
    for seconds in (0.0297, 0.0371, 0.0411, 0.0437):
        d, comb = round(seconds * RATE), np.zeros(samples)
        for i in range(d, samples):
            comb[i] = (1.0 if i == d else 0.0) + feedback * comb[i - d]
        wet += comb / 4
    for d, g in ((80, 0.7), (27, 0.7)):
        out = np.zeros(samples)
        for i in range(samples):
            out[i] = -g * wet[i] + (wet[i - d] + g * out[i - d] if i >= d else 0.0)
        wet = out
    exact = 0.33 * wet
    exact[0] += 0.4
    assert np.abs(made - exact).max() < 1e-3  # what rings for longer than a second folds back, far below
    assert np.abs(made).sum() > 1


def test_the_filter_takes_12_db_an_octave() -> None:
    wave = noise()
    exact = sosfilt(butter(2, 1000, "highpass", fs=RATE, output="sos"), wave.numpy())
    assert np.abs(effects.high_passed(wave, RATE, cutoff_hz=1000.0).numpy() - exact).max() < 1e-9
    for rate in (100, 1500):
        assert bool(effects.high_passed(noise(1, 50), rate, cutoff_hz=1000.0).isfinite().all())


def test_a_phaser_s_notches_wander() -> None:
    loud = []
    for seconds in (0.0, 0.25, 0.75):
        at = round(seconds * RATE)
        hertz = np.fft.rfftfreq(1024, 1 / RATE)
        corner = 1300 * 2 ** math.sin(2 * math.pi * (seconds + 512 / RATE))
        exact = np.abs(np.cos(6 * np.arctan(hertz / corner)))  # |1 + exp(-i a)| / 2 with a of twelve times the arc
        wave = noise(30, RATE + 1024)
        power = [
            (np.abs(np.fft.rfft(w[:, at : at + 1024].numpy() * np.hanning(1024))) ** 2).mean(0)
            for w in (effects.phased(wave, RATE), wave)
        ]
        gain = np.sqrt(power[0] / power[1])
        assert np.abs(gain - exact)[10:500].mean() < 0.1
        loud.append(gain)
    assert np.abs(loud[1] - loud[2])[10:500].mean() > 0.15


def test_resonances_move_and_the_pitch_stays() -> None:
    n, period = 16000, 100  # a voice of 160 Hz
    glottis = np.zeros(n)
    glottis[::period] = 1.0
    t = np.arange(200) / RATE
    throat = np.exp(-t * 500) * np.sin(2 * np.pi * 1600 * t)  # a resonance at 1600 Hz
    voice = 0.2 * np.convolve(glottis, throat)[:n]
    made = effects.formants_shifted(torch.from_numpy(voice)[None], RATE, factor=1.25)[0].numpy()
    assert resonance(voice) == pytest.approx(1600, rel=0.05)
    assert resonance(made) == pytest.approx(2000, rel=0.05)
    size = np.abs(np.fft.rfft(made))
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    harmonics = np.isclose(hertz % 160, 0) | np.isclose(hertz % 160, 160)
    assert (size[harmonics] ** 2).sum() > 0.95 * (size**2).sum()
    same = effects.formants_shifted(torch.from_numpy(voice)[None], RATE, factor=1.0)[0].numpy()
    assert np.abs(same - voice).max() < 1e-10


def resonance(voice: Array) -> float:
    """The mean frequency by power around the strongest harmonic."""
    power = np.abs(np.fft.rfft(voice)) ** 2
    hertz = np.fft.rfftfreq(len(voice), 1 / RATE)
    near = np.abs(hertz - hertz[power.argmax()]) < 500
    return float((hertz * power)[near].sum() / power[near].sum())
