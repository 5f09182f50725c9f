"""What every noise on sounds keeps to, whatever it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mbti_audio.contents.noises import NOISES
from mbti_audio.modality import AudioModality
from mbti_audio.noise.background import Background
from mbti_audio.noise.bandlimit import BandLimit
from mbti_audio.noise.clip import Clip
from mbti_audio.noise.gaussian import Gaussian
from mbti_audio.noise.reverb import Reverb
from mbti_audio.noise.snr import Snr
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_core.plugins.manager import Registry

ALL: list[Any] = [Gaussian(), Snr(), Background(), Background(sound="hum"), Reverb(), Clip(), BandLimit()]
NONE: list[Any] = [
    Gaussian(std=0.0),
    Snr(strength=0.0),
    Background(strength=0.0),
    Reverb(rt60=0.0),
    Clip(cut=0.0),
    BandLimit(strength=0.0),
]
LENGTHS = [4000, 1000, 160, 7, 1, 0, 2500]


def context(index: torch.Tensor) -> NoiseContext:
    return NoiseContext(index, index % 2, 2, Draws(5))


def name(noise: Any) -> str:
    return f"{type(noise).__name__}-{getattr(noise, 'sound', '')}".rstrip("-")


@pytest.fixture
def uneven(waves_of: Callable[..., Waves]) -> Waves:
    """Sounds of many lengths, the last one silent."""
    x = waves_of(LENGTHS)
    wave = x.wave.clone()
    wave[-1] = 0
    return x.with_wave(wave)


@pytest.mark.parametrize("noise", NONE, ids=name)
def test_strength_zero_is_the_identity(noise: Any, uneven: Waves) -> None:
    assert torch.equal(noise.apply(uneven, context(torch.arange(len(LENGTHS)))).wave, uneven.wave)


@pytest.mark.parametrize("noise", ALL, ids=name)
def test_a_sound_alone_is_as_in_a_batch_of_longer_ones(noise: Any, uneven: Waves) -> None:
    before, index = uneven.wave.clone(), torch.arange(len(LENGTHS)) * 11
    whole = noise.apply(uneven, context(index))
    assert torch.equal(uneven.wave, before)
    for row, length in enumerate(LENGTHS):
        alone = Waves(uneven.wave[row : row + 1, :length], uneven.lengths[row : row + 1], uneven.rate)
        found = noise.apply(alone, context(index[row : row + 1]))
        assert torch.equal(found.wave[0], whole.wave[row, :length])


def test_padding_moves_no_sample_of_many(waves_of: Callable[..., Waves]) -> None:
    index, x = torch.arange(120), waves_of([4003] * 120)
    padded = Waves(torch.nn.functional.pad(x.wave, (0, 2000)), x.lengths, x.rate)
    found = Snr().apply(padded, context(index)).wave[:, :4003]
    assert torch.equal(found, Snr().apply(x, context(index)).wave)  # in single precision, some move


@pytest.mark.parametrize("noise", ALL, ids=name)
def test_form_range_and_ends_stay(noise: Any, uneven: Waves) -> None:
    found = noise.apply(uneven, context(torch.arange(len(LENGTHS))))
    assert (found.wave.dtype, found.wave.shape, found.rate) == (torch.float32, uneven.wave.shape, 16000)
    assert torch.equal(found.lengths, uneven.lengths)
    assert bool(found.wave.isfinite().all())
    assert float(found.wave.abs().max()) <= 1
    assert not bool(found.wave[~uneven.inside].any())
    assert not torch.equal(found.wave, uneven.wave)


@pytest.mark.parametrize("noise", ALL, ids=name)
def test_what_is_stored_is_what_was_made(noise: Any, uneven: Waves) -> None:
    found = noise.apply(uneven, context(torch.arange(len(LENGTHS))))
    assert torch.equal(found.to_pcm().float() / 32768, found.wave[found.inside])


@pytest.mark.parametrize("noise", [Snr(), Background(), Reverb(), Clip(), BandLimit()], ids=name)
def test_silence_stays_silent(noise: Any) -> None:
    silent = Waves(torch.zeros(2, 500), torch.tensor([500, 0]), 8000)
    assert not bool(noise.apply(silent, context(torch.arange(2))).wave.any())


@pytest.mark.parametrize("noise", ALL, ids=name)
@pytest.mark.parametrize(("rows", "samples", "rate"), [(0, 0, 0), (0, 300, 16000), (3, 0, 16000)])
def test_batches_of_nothing_pass(noise: Any, rows: int, samples: int, rate: int) -> None:
    nothing = Waves(torch.zeros(rows, samples), torch.zeros(rows, dtype=torch.int64), rate)
    assert noise.apply(nothing, context(torch.arange(rows))).wave.shape == (rows, samples)


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(Gaussian, "std"), (Snr, "strength"), (Background, "strength"), (Reverb, "rt60"), (BandLimit, "strength")],
)
def test_more_strength_moves_a_sound_further(kind: Any, setting: str, waves_of: Callable[..., Waves]) -> None:
    x = waves_of([4000] * 8)
    whole = getattr(kind(), setting)
    parts = [kind(**{setting: share * whole}).apply(x, context(torch.arange(8))) for share in (0.0, 0.25, 0.5, 1.0)]
    moved = [float((y.wave - x.wave).abs().mean()) for y in parts]
    assert moved == sorted(set(moved))
    assert moved[0] == 0


def test_rows_are_keyed_by_their_ids(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([3000] * 4)
    same = AudioModality().select(x, torch.zeros(4, dtype=torch.int64))
    for noise in (Gaussian(), Snr(), Background(), Reverb()):
        rows = noise.apply(same, context(torch.tensor([3, 8, 3, 9]))).wave
        assert torch.equal(rows[0], rows[2])
        assert not torch.equal(rows[0], rows[1])
        assert not torch.equal(rows[1], rows[3])


def test_every_noise_is_in_the_table_of_contents() -> None:
    found = {r.component.id for r in Registry().components("noise", "audio") if r.component.modality == "audio"}
    assert found == {component.id for component in NOISES}
    assert {type(noise) for noise in ALL} == {
        r.load() for r in Registry().components("noise", "audio") if r.component.id in found
    }
