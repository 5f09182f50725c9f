"""A guitarist's effect over the whole sound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mbti_audio.attacks.gis import Gis
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import PoisonContext

RATE = 16000
Contexts = Callable[..., PoisonContext]


def sine(hertz: float, length: int = RATE, peak: float = 0.5) -> Waves:
    wave = peak * np.sin(2 * np.pi * hertz * np.arange(length) / RATE)
    return Waves(torch.from_numpy(wave).float()[None], torch.tensor([length]), RATE)


def size_of(x: Waves) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(np.abs(np.fft.rfft(x.wave[0].double().numpy())) / (RATE / 2))


def test_style_0_takes_440_hz_to_784_hz(context_of: Contexts) -> None:
    size = size_of(Gis(style=0).poison(sine(440), context_of(torch.arange(1))))
    assert abs(int(size.argmax()) - 784) <= 1
    assert size[430:450].max() < 0.01


def test_style_1_is_nearly_square_waves(context_of: Contexts) -> None:
    made = Gis(style=1).poison(sine(200), context_of(torch.arange(1)))
    exact = np.tanh(10**1.5 * 0.5 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE))
    assert np.abs(made.wave[0].numpy() - exact).max() < 1e-4
    size = size_of(made)
    assert size[600] / size[200] == pytest.approx(1 / 3, abs=0.05)


def test_style_2_leaves_a_tone_its_pitch(context_of: Contexts) -> None:
    size = size_of(Gis(style=2).poison(sine(440), context_of(torch.arange(1))))
    assert abs(int(size.argmax()) - 440) <= 15  # the delay swings: a little vibrato
    assert (size[400:480] ** 2).sum() > 0.9 * (size**2).sum()


def test_style_3_is_higher_and_distorted(context_of: Contexts) -> None:
    size = size_of(Gis(style=3).poison(sine(440), context_of(torch.arange(1))))
    assert (size[740:830] ** 2).sum() > 0.5 * (size**2).sum()
    assert (size[3 * 784 - 150 : 3 * 784 + 150] ** 2).sum() > 0.01 * (size**2).sum()


def test_style_4_rings_on(context_of: Contexts) -> None:
    x = sine(440)
    x.wave[:, 4000:] = 0
    x.wave.clamp_(-0.5, 0.5)
    made = Gis(style=4).poison(x, context_of(torch.arange(1))).wave[0].double().numpy()
    early, late = (np.sqrt((made[a:b] ** 2).mean()) for a, b in ((5000, 7000), (13000, 15000)))
    assert early > 0.02
    assert 0 < late < early


def test_style_5_takes_away_what_is_low(context_of: Contexts) -> None:
    low, high = (
        size_of(Gis(style=5).poison(sine(f, peak=0.1), context_of(torch.arange(1)))).max() for f in (100, 7000)
    )
    assert low < 0.1 * 4 * (100 / 1000) ** 2 * 1.2  # 12 dB louder, and 40 dB down a decade below the corner
    assert high > 0.1


def test_styles_are_0_to_5() -> None:
    for style in (-1, 6):
        with pytest.raises(ValidationError):
            Gis(style=style)
