"""Noises that add something: their levels, their spectra, and recordings as backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy import signal, stats

from mbti_audio.noise.ambience import ambience, babble, hum, recorded
from mbti_audio.noise.background import Background
from mbti_audio.noise.gaussian import Gaussian
from mbti_audio.noise.snr import Snr
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_core.errors import DataFormatError, DataUnavailableError


def context(rows: int) -> NoiseContext:
    index = torch.arange(rows)
    return NoiseContext(index, index % 2, 2, Draws(5))


def ratio(x: Waves, y: Waves) -> np.ndarray:
    """SNR in dB of each row, by the definition."""
    found = []
    for clean, noisy, n in zip(x.wave.double().numpy(), y.wave.double().numpy(), x.lengths.tolist(), strict=True):
        found.append(10 * np.log10((clean[:n] ** 2).sum() / ((noisy - clean)[:n] ** 2).sum()))
    return np.array(found)


def test_gaussian_noise_on_silence_is_normal() -> None:
    silent = Waves(torch.zeros(4, 16000), torch.full((4,), 16000), 16000)
    noise = Gaussian(std=0.1, mean=0.05).apply(silent, context(4)).wave.double().numpy()
    for row in noise:
        assert stats.kstest(row, stats.norm(0.05, 0.1).cdf).pvalue > 0.001
        assert abs(np.corrcoef(row[1:], row[:-1])[0, 1]) < 4 / np.sqrt(16000)


def test_gaussian_noise_of_the_paper_saturates_on_both_sides() -> None:
    silent = Waves(torch.zeros(4, 16000), torch.full((4,), 16000), 16000)
    noise = Gaussian().apply(silent, context(4)).wave
    for edge in (noise <= -1, noise >= 32767 / 32768):
        assert edge.float().mean().item() == pytest.approx(stats.norm.sf(1), abs=0.005)
    assert noise.mean().item() == pytest.approx(0, abs=4 / np.sqrt(4 * 16000))


def test_gaussian_noise_agrees_with_the_formula(waves_of: Callable[..., Waves]) -> None:
    x, ctx = waves_of([3000, 1200]), context(2)
    g = ctx.draws.stream("gaussian").normal(ctx.index, (3000,)).double().numpy()
    exact = np.clip(x.wave.double().numpy() + 0.3 * g - 0.1, -1, 1) * x.inside.numpy()
    assert (
        np.abs(Gaussian(mean=-0.1, std=0.3).apply(x, ctx).wave.numpy() - exact).max() <= 0.5 / 32768 + 1e-6 + 1 / 32768
    )


@pytest.mark.parametrize("wanted", [-6.0, 0.0, 10.0, 25.0])
@pytest.mark.parametrize("kind", [Snr, Background])
def test_noise_lies_where_it_is_asked_to(
    wanted: float, kind: type[Snr | Background], waves_of: Callable[..., Waves]
) -> None:
    x = waves_of([8000, 3000, 500], loudness=0.02)
    assert ratio(x, kind(snr=wanted).apply(x, context(3))) == pytest.approx(wanted, abs=0.05)


def test_half_the_strength_is_six_decibels_less(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([8000, 8000])
    assert ratio(x, Snr(strength=0.5, snr=10).apply(x, context(2))) == pytest.approx(10 + 20 * np.log10(2), abs=0.05)


def test_white_noise_is_white(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([16000] * 8, loudness=0.02)
    noise = (Snr().apply(x, context(8)).wave - x.wave).double().numpy()
    _, power = signal.welch(noise, nperseg=512)
    bands = power.mean(0)[1:-1].reshape(5, -1).mean(1)
    assert bands == pytest.approx(bands.mean(), rel=0.05)


def test_a_hum_stands_on_the_harmonics_of_the_mains() -> None:
    amplitude = np.abs(np.fft.rfft(hum(8000).double().numpy())) / 4000
    assert amplitude[50:450:50] == pytest.approx([1 / k for k in range(1, 9)], abs=1e-4)
    amplitude[50:450:50] = 0
    assert amplitude.max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 16000])
def test_babble_has_the_band_and_the_syllables_of_speech(rate: int) -> None:
    wave = babble(rate).double().numpy()
    hertz, power = signal.welch(wave, rate, nperseg=2048)
    speech = (hertz > 80) & (hertz < 4000)
    assert power[speech].sum() > 0.98 * power.sum()
    assert power[(hertz > 900) & (hertz < 2600)].sum() > 0.05 * power.sum()
    loudness = np.sqrt((wave.reshape(-1, rate // 50) ** 2).mean(1))  # 50 per second
    assert 0.15 < loudness.std() / loudness.mean() < 1
    assert abs(wave[0] - wave[-1]) <= np.abs(np.diff(wave)).max()  # it repeats without a click


def test_a_background_is_a_stretch_of_a_recording(tmp_path: Path, waves_of: Callable[..., Waves]) -> None:
    ramp = (np.arange(1, 5001) / 10000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", ramp, 16000, subtype="FLOAT")
    x = waves_of([3000] * 20)
    added = (Background(sound=str(tmp_path), snr=0.0).apply(x, context(20)).wave - x.wave).numpy()
    starts = set()
    for row in added:
        steps = np.diff(row)
        wrap = np.flatnonzero(steps < 0)
        assert len(wrap) <= 1  # repeated from the start, where the recording ends
        inner = np.delete(steps, wrap)
        assert inner == pytest.approx(inner.mean(), abs=1.1 / 32768)
        starts.add(round(float(row[0] / inner.mean())))
    assert len(starts) == 20


def test_short_recordings_are_repeated_and_rates_are_changed(tmp_path: Path) -> None:
    time = np.arange(4800) / 48000
    (tmp_path / "deep").mkdir()
    stereo = np.stack([np.sin(2 * np.pi * 1000 * time), np.zeros_like(time)], 1) * 0.5
    soundfile.write(tmp_path / "deep" / "tone.flac", stereo, 48000)
    (tmp_path / "README.txt").write_text("not a sound")
    (tone,) = recorded(tmp_path, 16000)
    assert len(tone) == 1600
    spectrum = np.abs(np.fft.rfft(tone.numpy())) / 800
    assert int(spectrum.argmax()) == 100  # 1,000 Hz in bins of 10
    assert spectrum.max() == pytest.approx(0.25, abs=0.01)
    x = Waves(torch.full((1, 16000), 0.1), torch.tensor([16000]), 16000)
    added = Background(sound=str(tmp_path), snr=0.0).apply(x, context(1)).wave - x.wave
    assert added[0, 1600:].numpy() == pytest.approx(added[0, :-1600].numpy(), abs=1e-6)


def test_each_row_gets_one_of_the_recordings(tmp_path: Path) -> None:
    for k, level in enumerate((0.1, 0.2, 0.4)):
        soundfile.write(tmp_path / f"{k}.wav", np.full(700, level * (-1) ** k), 16000)
    found = ambience(str(tmp_path), 16000)
    assert found.lengths.tolist() == [700, 700, 700]
    x = Waves(torch.full((60, 50), 0.25), torch.full((60,), 50), 16000)
    signs = (Background(sound=str(tmp_path), snr=0.0).apply(x, context(60)).wave - x.wave)[:, 0] > 0
    assert 30 < int(signs.sum()) < 50  # two of three are positive


def test_a_folder_without_sounds_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="There is no sound in"):
        recorded(tmp_path, 16000)
    with pytest.raises(DataUnavailableError, match="nowhere"):
        recorded(tmp_path / "nowhere", 16000)
    (tmp_path / "a.wav").write_text("a text")
    with pytest.raises(DataFormatError, match=r"a\.wav"):
        recorded(tmp_path, 16000)
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    with pytest.raises(DataFormatError, match=r"a\.wav"):
        recorded(tmp_path, 16000)
