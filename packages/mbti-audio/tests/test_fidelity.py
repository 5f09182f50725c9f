from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import signal

from mbti_audio.fidelity import fidelity
from mbti_audio.waves import Waves
from mbti_core.plugins.manager import Registry


def lsd_by_hand(x: np.ndarray, y: np.ndarray, window: int, floor: float = -90.0) -> float:
    """Root mean square difference of spectra in dB, frame by frame."""
    shape = signal.windows.hann(window, sym=False)
    found = []
    for at in range(0, len(x), window // 2):
        levels = []
        for wave in (x, y):
            frame = np.pad(wave.astype(np.float64), window)[at + window // 2 :][:window]
            amplitude = np.abs(np.fft.rfft(frame * shape)) * 2 / shape.sum()
            levels.append(np.maximum(20 * np.log10(amplitude + 1e-30), floor))
        found.append(np.sqrt(((levels[0] - levels[1]) ** 2).mean()))
    return float(np.mean(found))


def noisy(x: Waves, level: float) -> Waves:
    noise = np.random.default_rng(1).normal(0, level, x.wave.shape).astype(np.float32)
    return x.with_wave(x.wave + torch.from_numpy(noise))


@pytest.mark.parametrize("level", [1e-4, 1e-2])
def test_snr_agrees_with_the_formula(level: float, waves_of: Callable[..., Waves]) -> None:
    x = waves_of([4000, 900, 10])
    y = noisy(x, level)
    clean, bad = x.wave.double().numpy(), y.wave.double().numpy()
    wanted = 10 * np.log10((clean**2).sum(1) / ((bad - clean) ** 2).sum(1))
    assert fidelity(x, y)["snr"].numpy() == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize(("rate", "window"), [(16000, 512), (8000, 256)])
def test_lsd_agrees_with_the_formula(rate: int, window: int, waves_of: Callable[..., Waves]) -> None:
    x = waves_of([4000, 900, 10], rate=rate)
    y = noisy(x, 0.01)
    wanted = [
        lsd_by_hand(a[:n].numpy(), b[:n].numpy(), window)
        for a, b, n in zip(x.wave, y.wave, x.lengths.tolist(), strict=True)
    ]
    assert fidelity(x, y)["lsd"].numpy() == pytest.approx(wanted, rel=1e-3)


def test_half_the_level_is_six_decibels_of_both(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([8000], loudness=0.2)
    found = fidelity(x, x.with_wave(x.wave / 2))
    assert float(found["snr"]) == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert float(found["lsd"]) == pytest.approx(20 * np.log10(2), abs=0.05)


def test_what_nothing_can_be_said_of_is_finite(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([3000, 3000, 3000, 0])
    wave = x.wave.clone()
    wave[1:3] = 0
    x = x.with_wave(wave)
    changed = wave.clone()
    changed[2, :100] = 0.5
    found = fidelity(x, x.with_wave(changed))
    assert found["snr"].tolist() == [80.0, 80.0, -80.0, 80.0]
    assert found["lsd"].tolist()[:2] == [0.0, 0.0]
    assert found["lsd"][3] == 0
    assert float(found["lsd"][2]) > 1


def test_rows_depend_neither_on_their_batch_nor_on_padding(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([40000] * 60 + [500])
    y = noisy(x, 0.01)
    whole = fidelity(x, y)
    alone = fidelity(*(Waves(part.wave[60:, :500], part.lengths[60:], 16000) for part in (x, y)))
    for name in ("snr", "lsd"):
        assert len(whole[name]) == 61
        assert float(alone[name][0]) == pytest.approx(float(whole[name][60]), rel=1e-4)


def test_the_hook_answers_for_sounds_alone(waves_of: Callable[..., Waves]) -> None:
    adapters, x = Registry().adapters, waves_of([100])
    assert set(adapters.fidelity(x, x, "audio")) == {"snr", "lsd"}
    assert adapters.fidelity(x, x, "smell") == {}
