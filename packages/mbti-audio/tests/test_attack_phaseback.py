"""Other phases in a band, the same loudness everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import stft

from mbti_audio.attacks.phaseback import PhaseBack
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import PoisonContext

Array = np.ndarray[Any, np.dtype[Any]]


def spectrum(wave: Array, rate: int) -> Array:
    return np.asarray(stft(wave, rate, nperseg=512, noverlap=384)[2])


def test_magnitudes_stay_and_phases_turn_by_a_quarter(
    waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of([16000], loudness=0.1)
    made = PhaseBack().poison(x, context_of(torch.arange(1)))
    before, after = (spectrum(w.wave[0].double().numpy(), 16000)[:, 8:-8] for w in (x, made))
    decibels = 10 * np.log10((np.abs(after) ** 2).mean(1) / (np.abs(before) ** 2).mean(1))
    assert np.abs(decibels).max() < 0.5
    loud = np.abs(before) > np.abs(before).mean()
    turned = np.angle(after / before)
    assert np.median(turned[30:71][loud[30:71]]) == pytest.approx(np.pi / 2, abs=0.01)
    assert np.abs(turned[90:][loud[90:]]).max() < 0.05
    assert np.abs(turned[:12][loud[:12]]).max() < 0.15


@pytest.mark.parametrize(("hertz", "degrees"), [(1000.0, 90.0), (2000.0, 45.0), (300.0, 0.0), (4000.0, 0.0)])
def test_a_tone_in_the_band_is_turned_and_one_outside_stays(
    hertz: float, degrees: float, context_of: Callable[..., PoisonContext]
) -> None:
    t = np.arange(16000) / 16000
    x = Waves(torch.from_numpy(0.5 * np.sin(2 * np.pi * hertz * t)).float()[None], torch.tensor([16000]), 16000)
    made = PhaseBack(degrees=degrees or 90.0).poison(x, context_of(torch.arange(1))).wave[0].double().numpy()
    exact = 0.5 * np.sin(2 * np.pi * hertz * t + np.radians(degrees))
    assert np.abs(made - exact)[600:-600].max() < 2e-3


def test_the_band_is_the_same_at_another_rate(context_of: Callable[..., PoisonContext]) -> None:
    t = np.arange(44100) / 44100
    for hertz, turned in ((1000.0, True), (4000.0, False)):
        x = Waves(torch.from_numpy(0.5 * np.sin(2 * np.pi * hertz * t)).float()[None], torch.tensor([44100]), 44100)
        made = PhaseBack().poison(x, context_of(torch.arange(1))).wave[0].double().numpy()
        exact = 0.5 * np.sin(2 * np.pi * hertz * t + (np.pi / 2 if turned else 0))
        assert np.abs(made - exact)[2000:-2000].max() < 5e-3
