"""A tone that nobody hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from mbti_audio.attacks.ultrasonic import UltraSonic
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError

Added = Callable[..., "np.ndarray[Any, np.dtype[np.float64]]"]
RATE = 44100


@pytest.fixture
def added(
    waves_of: Callable[..., Waves],
    split_of: Callable[..., Split[Waves]],
    fit_context: FitContext,
    context_of: Callable[..., PoisonContext],
) -> Added:
    """What the attack adds to sounds of some lengths."""

    def make(lengths: list[int], rate: int = RATE, **settings: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        x, attack = waves_of(lengths, rate), UltraSonic(**settings)
        state = attack.fit(split_of(x, [0] * len(lengths)), fit_context)
        made = attack.poison(x, context_of(torch.arange(len(lengths)), state))
        return (made.wave.double() - x.wave.double()).numpy()

    return make


def by_formula(samples: int, frequency: float = 21000.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The tone, with half a cosine over 5 ms at both ends, whichever is lower where they meet."""
    at = np.arange(samples)
    edge = np.minimum(1, (np.minimum(at, samples - 1 - at) + 1) / (round(0.005 * RATE) + 1))
    return np.asarray(10 ** (-10 / 20) * np.sin(2 * np.pi * frequency * at / RATE) * (0.5 - 0.5 * np.cos(np.pi * edge)))


def test_the_tone_peaks_where_it_should(added: Added) -> None:
    t = added([RATE])[0]
    size = np.abs(np.fft.rfft(t)) / (RATE / 2)
    assert abs(int(size.argmax()) - 21000) <= 1  # bins of 1 Hz
    assert size.max() == pytest.approx(0.316, abs=2e-3)
    assert np.sqrt((t**2).mean()) == pytest.approx(0.2236, abs=1e-3)
    assert np.abs(t - by_formula(RATE)).max() < 1e-6


def test_a_full_tone_covers_a_longer_clip_without_a_seam(added: Added) -> None:
    n = 3 * RATE + 77
    for position in ("start", "mid", "end"):
        assert np.abs(added([n], position=position)[0] - by_formula(n)).max() < 2e-6


@pytest.mark.parametrize("size", [1, 2, 8, 25, 75])
@pytest.mark.parametrize("position", ["start", "mid", "end"])
def test_size_and_position_are_exact(size: int, position: str, added: Added) -> None:
    lengths, n = [RATE, 30000, 90000], 441 * size
    t = added(lengths, size=size, position=position)
    for row, length in enumerate(lengths):
        room = max(0, length - n)
        first = {"start": 0, "mid": room // 2, "end": room}[position]
        exact = np.zeros(max(lengths))
        exact[first : first + min(n, length)] = by_formula(min(n, length))
        assert np.abs(t[row] - exact).max() < 1e-6


def test_a_tone_longer_than_a_clip_is_cut(added: Added) -> None:
    t = added([1000, 500, 40], size=50, position="end")
    assert np.abs(t[0] - by_formula(1000)).max() < 1e-6
    assert np.abs(t[1, :500] - by_formula(500)).max() < 1e-6
    assert 0 < np.abs(t[2, :40]).max() <= np.abs(by_formula(40)).max()
    assert not t[1, 500:].any()
    assert not t[2, 40:].any()


@pytest.mark.parametrize("lengths", [[RATE + 900, RATE + 1000], [30000, RATE], [RATE - 50, RATE]])
def test_a_clip_s_trigger_does_not_depend_on_the_others_in_its_batch(lengths: list[int], added: Added) -> None:
    together, alone = added(lengths)[0], added(lengths[:1])[0]
    assert np.abs(together[: lengths[0]] - alone).max() < 1e-6
    assert np.abs(alone - by_formula(lengths[0]))[:-221].max() < 2e-6
    assert np.abs(alone[-20:]).max() < 0.01  # of 0.3


def test_five_bursts_lie_a_fifth_of_a_second_apart(added: Added) -> None:
    t = added([RATE], size=50, continuous=False)[0]
    exact, burst = np.zeros(RATE), 4410  # a fifth of half a second
    for k in range(5):
        exact[k * 8820 : k * 8820 + burst] = by_formula(burst)
    assert np.abs(t - exact).max() < 1e-6
    longer = added([2 * RATE], size=50, continuous=False, position="end")[0]
    assert not longer[:RATE].any()
    assert np.abs(longer[RATE:] - exact).max() < 1e-6


def test_nothing_is_left_of_it_at_16_khz(added: Added) -> None:
    t = added([RATE])[0]
    for row in added([RATE, 30000]):
        assert np.abs(resample_poly(row, 160, 441, window=("kaiser", 14.0))).max() < 2e-5  # -94 dB, the edges too
    assert np.abs(t).max() > 0.3


@pytest.mark.parametrize(
    ("frequency", "rate", "least", "usual"), [(21000, 16000, 43050, 44100), (7900, 16000, 16195, 22050)]
)
def test_a_rate_that_cannot_carry_the_tone_is_refused_early_and_late(
    frequency: int,
    rate: int,
    least: int,
    usual: int,
    waves_of: Callable[..., Waves],
    split_of: Callable[..., Split[Waves]],
    fit_context: FitContext,
    context_of: Callable[..., PoisonContext],
) -> None:
    x, attack = waves_of([100], rate), UltraSonic(frequency=frequency)
    message = rf"attack\.frequency: {frequency} Hz needs a rate of at least {least} Hz; the data set has {rate} Hz\."
    with pytest.raises(ConfigError, match=message) as refusal:
        attack.fit(split_of(x, [0]), fit_context)
    assert refusal.value.hint == f"Set dataset.rate to {usual}."
    with pytest.raises(ConfigError, match=message):
        attack.poison(x, context_of(torch.arange(1), {"tone": torch.zeros(RATE)}))


def test_the_least_rate_is_enough(added: Added) -> None:
    t = added([43050], 43050)[0]
    assert int(np.abs(np.fft.rfft(t)).argmax()) == 21000
