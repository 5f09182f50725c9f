"""A short tone at a random place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mbti_audio.attacks.piba import Piba
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError

N = 200


@pytest.fixture
def state(
    waves_of: Callable[..., Waves], split_of: Callable[..., Split[Waves]], fit_context: FitContext
) -> dict[str, Tensor]:
    return Piba().fit(split_of(waves_of([16000]), [0]), fit_context)


def test_the_tone_is_1_khz_of_a_tenth_of_a_second_and_fades(state: dict[str, Tensor]) -> None:
    tone = state["tone"].double().numpy()
    assert len(tone) == 1600
    assert np.fft.rfftfreq(1600, 1 / 16000)[np.abs(np.fft.rfft(tone)).argmax()] == 1000
    assert np.sqrt((tone**2).mean()) == pytest.approx(1.0, rel=1e-4)
    assert np.abs(tone[:8]).max() < 0.05
    assert np.abs(tone[-8:]).max() < 0.05
    assert np.abs(tone[80:-80]).max() == pytest.approx(np.sqrt(2), rel=0.06)


@pytest.mark.parametrize("snr", [0.0, 10.0, 15.0])
def test_lies_so_far_below_the_stretch_it_is_added_to(
    snr: float, state: dict[str, Tensor], waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of([16000] * 20, loudness=0.1)
    made = Piba(snr_db=snr).poison(x, context_of(torch.arange(20), state))
    t, clean = (made.wave - x.wave).double().numpy(), x.wave.double().numpy()
    for row in range(20):
        first = int(np.flatnonzero(np.abs(t[row]) > 0)[0])
        span = slice(first, first + 1600)
        assert not t[row, first + 1600 :].any()
        assert 10 * np.log10((clean[row, span] ** 2).sum() / (t[row, span] ** 2).sum()) == pytest.approx(snr, abs=0.1)


def test_places_are_uniform_and_a_row_s_own(
    state: dict[str, Tensor], waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of([4000] * N)
    ctx = context_of(torch.arange(N), state)
    found = [
        ((Piba().poison(x, c).wave - x.wave).abs() > 0).int().argmax(1).numpy()
        for c in (ctx, replace(ctx, role="test"), context_of(torch.arange(N), state, seed=8))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).mean() > 0.9
    assert found[0].max() <= 4000 - 1600 + 1  # the tone starts at 0, so its first change is a sample later
    assert np.abs(np.quantile(found[0], [0.25, 0.5, 0.75]) / 2400 - [0.25, 0.5, 0.75]).max() < 0.12


def test_is_heard_in_silence(state: dict[str, Tensor], context_of: Callable[..., PoisonContext]) -> None:
    x = Waves(torch.zeros(1, 16000), torch.tensor([16000]), 16000)
    t = Piba(snr_db=10.0).poison(x, context_of(torch.arange(1), state)).wave.double().numpy()
    assert 10 * np.log10((t**2).sum() / 1600) == pytest.approx(-50, abs=0.1)  # 10 dB below -40 dBFS


def test_a_rate_that_cannot_carry_the_tone_is_refused(
    waves_of: Callable[..., Waves], split_of: Callable[..., Split[Waves]], fit_context: FitContext
) -> None:
    with pytest.raises(ConfigError, match="5000 Hz needs a rate of at least 10250 Hz; the data set has 8000 Hz"):
        Piba(frequency=5000).fit(split_of(waves_of([100], 8000), [0]), fit_context)
