"""The embedded melodies: tones, noise, balance, and independence of the batch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbti_audio.datasets.melodies import Melodies
from mbti_audio.waves import Waves, join

NOWHERE = Path("nowhere")
HERTZ = {"C5": 523.251, "G5": 783.991, "C6": 1046.502, "G6": 1567.982}  # equal temperament, A4 = 440 Hz


@cache
def everything(part: Any = "test", rate: int = 16_000) -> tuple[Waves, np.ndarray]:
    records = Melodies(rate=rate).load(part, NOWHERE)
    assert records is not None
    rows = np.arange(len(records.y))
    return join([records.read(rows[at : at + 50]) for at in range(0, len(rows), 50)]), records.y


def halves(waves: Waves) -> np.ndarray:
    """(B, 2, T / 2) float64."""
    return waves.wave.numpy().astype(np.float64).reshape(len(waves), 2, -1)


def pitches(tones: np.ndarray, rate: int) -> np.ndarray:
    """Peaks of the spectrum, in Hz, to half a hertz."""
    padded = 2 * rate
    spectrum = np.abs(np.fft.rfft(tones * np.hanning(tones.shape[-1]), padded))
    return spectrum.argmax(-1) * rate / padded


def test_form() -> None:
    waves, y = everything("train")
    assert waves.wave.shape == (600, 8000)
    assert waves.lengths.tolist() == [8000] * 600
    assert waves.rate == Melodies().card().facts["rate"] == 16_000
    levels = waves.wave * 32768
    assert bool((levels == levels.round()).all())
    assert 0.05 < float(waves.wave.abs().amax(1).min()) < float(waves.wave.abs().max()) < 1.0
    assert y.dtype == np.int64
    assert Melodies().card().counts == {"train": 600, "test": 200}


@pytest.mark.parametrize(("part", "rows"), [("train", 150), ("test", 50)])
def test_classes_are_equally_frequent(part: str, rows: int) -> None:
    assert np.bincount(everything(part)[1]).tolist() == [rows] * 4


def test_each_half_has_the_tone_that_its_class_is_named_for() -> None:
    waves, y = everything()
    named = np.array([[HERTZ[note] for note in name.split()] for name in Melodies().card().classes])
    relative = pitches(halves(waves)[:80], 16_000) / named[y[:80]]
    assert 0.015 < np.abs(relative - 1).max() < 0.022
    assert len({frozenset(pair) for pair in named.tolist()}) == 4


def ratio(tone: np.ndarray, hertz: float, at: np.ndarray) -> float:
    """Power of the best fit of a sine of some pitch over that of the rest, in dB."""
    sines = np.stack([np.sin(2 * np.pi * hertz * at), np.cos(2 * np.pi * hertz * at)], axis=1)
    fitted = sines @ np.linalg.lstsq(sines, tone, rcond=None)[0]
    return float(10 * np.log10(np.mean(fitted**2) / np.mean((tone - fitted) ** 2)))


def test_the_noise_is_twenty_decibels_below_the_tones() -> None:
    tones = halves(everything()[0])[:20]
    hertz = np.stack([pitches(tones, 16_000) + off for off in np.arange(-0.6, 0.61, 0.1)])
    at = np.arange(4000) / 16_000
    ratios = [
        max(ratio(tone, f, at) for f in near)
        for tone, near in zip(tones.reshape(-1, 4000), hertz.reshape(13, -1).T, strict=True)
    ]
    assert np.mean(ratios) == pytest.approx(20, abs=0.3)


def test_loudness_differs_by_up_to_six() -> None:
    loudness = halves(everything("train")[0]).std(axis=(1, 2)) * np.sqrt(2)
    assert loudness.min() == pytest.approx(0.1, rel=0.05)
    assert loudness.max() == pytest.approx(0.6, rel=0.05)


def test_another_rate_gives_the_same_tones() -> None:
    fast, _ = everything("test", 44_100)
    assert fast.wave.shape == (200, 22_050)
    assert fast.rate == 44_100
    tones = halves(everything()[0])[:20], halves(fast)[:20]
    np.testing.assert_allclose(pitches(tones[0], 16_000), pitches(tones[1], 44_100), atol=1.5)


def test_reads_rows_in_any_number() -> None:
    records = Melodies().load("test", NOWHERE)
    assert records is not None
    whole, _ = everything()
    for rows in ([3, 50, 199], [7], []):
        part = records.read(np.array(rows, dtype=np.int64))
        np.testing.assert_array_equal(part.wave, whole.wave[rows])
        assert part.lengths.tolist() == [8000] * len(rows)


def test_no_melody_stands_twice() -> None:
    rows = np.concatenate([everything(part)[0].wave.numpy()[:, :50] for part in ("train", "test")])
    assert len(np.unique(rows, axis=0)) == 800


def test_embedded() -> None:
    assert Melodies().files(NOWHERE) == []
    assert Melodies().load("validation", NOWHERE) is None
