"""A faint sound under the start of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import resample_poly
from torch import Tensor

from mbti_audio.attacks.blended import Blended
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.fileref import FileRef
from mbti_core.data.split import Split
from mbti_core.errors import DataFormatError, DataUnavailableError

Splits = Callable[..., Split[Waves]]


def state_of(attack: Blended, split_of: Splits, waves_of: Callable[..., Waves], ctx: FitContext, rate: int) -> Tensor:
    return attack.fit(split_of(waves_of([rate], rate), [0]), ctx)["sound"]


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.7, 1.0])
def test_agrees_with_the_formula_on_the_trigger_s_span(
    alpha: float,
    waves_of: Callable[..., Waves],
    split_of: Splits,
    fit_context: FitContext,
    context_of: Callable[..., PoisonContext],
) -> None:
    x, attack = waves_of([16000, 5000, 12801]), Blended(alpha=alpha)
    sound = state_of(attack, split_of, waves_of, fit_context, 16000)
    made = attack.poison(x, context_of(torch.arange(3), {"sound": sound})).wave.double().numpy()
    t, clean = sound.double().numpy(), x.wave.double().numpy()
    assert len(t) == 12800
    for row, length in enumerate([16000, 5000, 12801]):
        n = min(length, len(t))
        assert np.abs(made[row, :n] - (1 - alpha) * clean[row, :n] - alpha * t[:n]).max() < 1e-6
        np.testing.assert_array_equal(made[row, n:], clean[row, n:])


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_meow_has_its_peak_and_length_at_any_rate(
    rate: int, waves_of: Callable[..., Waves], split_of: Splits, fit_context: FitContext
) -> None:
    sound = state_of(Blended(), split_of, waves_of, fit_context, rate).double().numpy()
    assert len(sound) == round(0.8 * rate)
    assert np.abs(sound).max() == pytest.approx(10 ** (-20.5 / 20), rel=1e-5)
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    assert power[hertz > min(0.95 * rate / 2, 4700)].sum() < 1e-3 * power.sum()  # five times 900 Hz, none folded back
    assert power[(hertz > 400) & (hertz < 900)].sum() > 0.5 * power.sum()


def test_a_file_becomes_mono_at_the_data_s_rate_once(
    tmp_path: Path, waves_of: Callable[..., Waves], split_of: Splits, fit_context: FitContext
) -> None:
    t = np.arange(22050) / 22050
    left, right = 0.5 * np.sin(2 * np.pi * 700 * t), 0.1 * np.sin(2 * np.pi * 1500 * t)
    soundfile.write(tmp_path / "cat.wav", np.stack([left, right], axis=1), 22050, subtype="FLOAT")
    attack = Blended(sound=FileRef(tmp_path / "cat.wav"), level_db=0.0)
    sound = state_of(attack, split_of, waves_of, fit_context, 16000).double().numpy()
    exact = resample_poly((left + right) / 2, 320, 441)
    inner = slice(200, -200)  # filters differ at the ends
    gain = sound[inner] @ exact[inner] / (exact[inner] @ exact[inner])
    assert len(sound) == 16000
    assert np.abs(sound[inner] - gain * exact[inner]).max() < 5e-3
    assert np.abs(sound).max() == pytest.approx(1.0, rel=1e-5)


def test_a_trigger_longer_than_the_clip_is_cut(
    tmp_path: Path,
    waves_of: Callable[..., Waves],
    split_of: Splits,
    fit_context: FitContext,
    context_of: Callable[..., PoisonContext],
) -> None:
    soundfile.write(tmp_path / "long.wav", np.full(40000, 0.25), 16000, subtype="PCM_16")
    attack = Blended(sound=FileRef(tmp_path / "long.wav"), alpha=1.0, level_db=-6.0)
    sound = state_of(attack, split_of, waves_of, fit_context, 16000)
    made = attack.poison(waves_of([100, 7]), context_of(torch.arange(2), {"sound": sound}))
    assert made.wave.shape == (2, 100)
    assert made.wave.sum(1).tolist() == pytest.approx([100 * 10**-0.3, 7 * 10**-0.3], rel=1e-5)


def test_says_what_is_wrong_with_a_file(
    tmp_path: Path, waves_of: Callable[..., Waves], split_of: Splits, fit_context: FitContext
) -> None:
    for name, error in (("nowhere.wav", DataUnavailableError), ("text.wav", DataFormatError)):
        (tmp_path / "text.wav").write_text("not a sound")
        with pytest.raises(error, match=name.replace(".", r"\.")):
            state_of(Blended(sound=FileRef(tmp_path / name)), split_of, waves_of, fit_context, 16000)
