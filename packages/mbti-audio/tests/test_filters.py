from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mbti_audio.filters.bandlimit import BandLimit
from mbti_audio.filters.squeeze import Squeeze
from mbti_audio.tones import sine
from mbti_audio.waves import Waves
from mbti_core.data.rng import Draws

RATE = 16000


def tones(*hertz: float, lengths: tuple[int, ...]) -> Waves:
    wave = torch.stack([0.5 * sine(f, max(lengths), RATE) for f in hertz])
    return Waves(wave, torch.tensor(lengths), RATE).with_wave(wave)


def size(wave: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.fft.rfft(wave.double().numpy())) / (len(wave) / 2))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_what_lies_above_the_band_is_gone_and_below_it_stays(share: float) -> None:
    edge = share * RATE / 2
    x = tones(0.5 * edge, min(7900.0, 1.3 * edge), lengths=(RATE, RATE))
    y = BandLimit(share=share).purify(x, Draws(0))
    assert size(y.wave[0]).max() == pytest.approx(0.5, abs=0.02)
    assert size(y.wave[0]).argmax() == round(0.5 * edge)
    assert y.wave[1, 400:-400].abs().max() < 0.01
    assert torch.equal(y.lengths, x.lengths)
    assert y.wave.shape == x.wave.shape


def test_a_squeezed_tone_is_shorter_higher_and_somewhere() -> None:
    lengths = (RATE, RATE, 12000, 400)
    x = tones(440, 440, 440, 440, lengths=lengths)
    y = Squeeze().purify(x, Draws(0))
    assert torch.equal(y.lengths, x.lengths)
    places = []
    for row, length in enumerate(lengths):
        loud = torch.nonzero(y.wave[row].abs() > 0.02).flatten()
        assert int(loud[-1]) < length
        assert int(loud[-1] - loud[0]) == pytest.approx(0.9 * length, abs=40)
        places.append(int(loud[0]))
    assert places[0] != places[1]
    assert size(y.wave[0]).argmax() == pytest.approx(440 / 0.9, abs=2)


def test_no_sound_at_all_is_none_after() -> None:
    x = Waves(torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64), RATE)
    for made in (BandLimit(), Squeeze()):
        assert len(made.purify(x, Draws(0))) == 0
