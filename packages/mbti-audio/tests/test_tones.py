"""Generated sounds, levels and places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mbti_audio.loudness import amplitude, beneath, rms, to_peak, to_rms
from mbti_audio.placing import added, added_at_start, random_starts, starts
from mbti_audio.tones import faded, sine, songs
from mbti_core.data.rng import Draws


def test_songs_are_chords_on_a_scale_of_two_octaves() -> None:
    rate, pool = 16000, songs(20, 16000, Draws(3)).double().numpy()
    assert pool.shape == (60, rate)
    assert np.abs(pool).max() <= 1.0
    power = np.abs(np.fft.rfft(pool)) ** 2
    hertz = np.fft.rfftfreq(rate, 1 / rate)
    assert (power[:, (hertz > 200) & (hertz < 1400)].sum(1) > 0.95 * power.sum(1)).all()  # 220 to 880 Hz times 3 / 2
    assert (pool**2).mean(1).min() > 0.01
    roots = 220 * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24]) / 12)
    tones = np.sort(np.outer(roots, [1, 1.25, 1.5]).ravel())
    strongest = hertz[power.argmax(1)]
    assert np.abs(strongest[:, None] / tones - 1).min(1).max() < 0.02  # the tones waver by 0.4 %
    assert len({tuple(row[:50]) for row in pool.round(6)}) > 30


def test_songs_follow_the_seed_and_more_of_them_change_none() -> None:
    assert torch.equal(songs(2, 8000, Draws(1)), songs(5, 8000, Draws(1))[:6])
    assert not torch.equal(songs(2, 8000, Draws(1)), songs(2, 8000, Draws(2)))


def test_a_fade_rises_and_falls_along_a_cosine() -> None:
    made = faded(torch.ones(1000), 100).double().numpy()
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, 101) / 101)
    assert np.abs(made[:100] - rise).max() < 1e-6
    assert np.abs(made[::-1][:100] - rise).max() < 1e-6
    assert np.abs(made[100:900] - 1).max() < 1e-6
    assert len(faded(torch.ones(3), 100)) == 3


def test_a_tone_of_a_minute_keeps_its_pitch() -> None:
    made = sine(21000, 3_000_000, 44100)[-1000:].double().numpy()
    exact = np.sin(2 * np.pi * ((21000 * np.arange(2_999_000, 3_000_000)) % 44100) / 44100)
    assert np.abs(made - exact).max() < 1e-6


def test_levels_are_decibels() -> None:
    assert amplitude(-10.0) == pytest.approx(0.316228, rel=1e-5)
    wave = torch.tensor([[0.5, -0.5, 0.5, -0.5], [0.3, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert rms(wave, torch.tensor([4, 1, 0])).tolist() == pytest.approx([0.5, 0.3, 0.0])
    assert beneath(torch.tensor([0.5, 0.001, 0.0]), 20.0).tolist() == pytest.approx([0.05, 0.001, 0.001])
    assert float(to_peak(torch.tensor([0.1, -0.4]), -6.0)[1]) == pytest.approx(-(10**-0.3))
    assert to_rms(torch.tensor([0.1, -0.1])).tolist() == pytest.approx([1.0, -1.0])
    for scaled in (to_peak(torch.zeros(3), -6.0), to_rms(torch.zeros(3))):
        assert scaled.tolist() == [0.0, 0.0, 0.0]


def test_a_trigger_starts_where_its_position_says() -> None:
    lengths = torch.tensor([100, 41, 30, 0])
    assert starts("start", lengths, 40).tolist() == [0, 0, 0, 0]
    assert starts("mid", lengths, 40).tolist() == [30, 0, 0, 0]
    assert starts("end", lengths, 40).tolist() == [60, 1, 0, 0]


def test_random_starts_reach_both_ends_and_go_no_further() -> None:
    n = 5000
    found = random_starts(torch.full((n,), 12), 3, torch.arange(n), Draws(0)).numpy()
    assert (np.bincount(found) > 400).all()
    assert (found.min(), found.max()) == (0, 9)
    assert random_starts(torch.tensor([2, 0]), 3, torch.arange(2), Draws(0)).tolist() == [0, 0]


def test_a_sound_is_added_from_its_place_on_and_cut() -> None:
    wave, sound = torch.zeros(4, 6), torch.tensor([1.0, 2.0, 3.0])
    made = added(wave, sound, torch.tensor([0, 2, 4, 9]))
    assert made.tolist() == [[1, 2, 3, 0, 0, 0], [0, 0, 1, 2, 3, 0], [0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0]]
    each = added(wave, torch.arange(4.0)[:, None] * sound, torch.zeros(4, dtype=torch.int64))
    assert each[:, 2].tolist() == [0, 3, 6, 9]
    assert not wave.any()
    assert added_at_start(torch.ones(1, 2), sound).tolist() == [[2, 3]]
    assert added(torch.zeros(2, 0), sound, torch.zeros(2, dtype=torch.int64)).shape == (2, 0)
