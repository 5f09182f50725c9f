"""Music in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from mbti_audio.attacks.daba import Daba
from mbti_audio.modality import AudioModality
from mbti_audio.sample import INPUT
from mbti_audio.surrogate import entropies
from mbti_audio.tones import songs
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Role
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import DataUnavailableError
from mbti_core.plugins.manager import Registry
from mbti_core.training.subject import Subject

RATE = 8000
CPU = torch.device("cpu")
Splits = Callable[..., Split[Waves]]


class Ear(nn.Module):
    """Says how much of a sound lies below 500 Hz and above: surest of what lies on one side."""

    def forward(self, x: Waves) -> Tensor:
        power = torch.fft.rfft(x.wave, dim=1).abs().square()
        below = torch.fft.rfftfreq(x.wave.shape[1], 1 / x.rate) < 500
        low = (power * below).sum(1) / power.sum(1).clamp_min(1e-9)
        return torch.stack([4 * low, 4 * (1 - low), torch.zeros_like(low)], dim=1)


class Deaf(nn.Module):
    """Gives eight classes the same."""

    def forward(self, x: Waves) -> Tensor:
        return torch.zeros(len(x), 8)


@pytest.fixture
def ctx() -> FitContext:
    info = ModelInfo("audio/ear", "audio", INPUT, 3, {})
    return FitContext(Aim(0, 3), Draws(7), CPU, Subject(Ear(), info, AudioModality(), Registry().adapters, CPU))


def test_takes_the_second_of_least_entropy(ctx: FitContext, waves_of: Callable[..., Waves], split_of: Splits) -> None:
    found = Daba().fit(split_of(waves_of([100], RATE), [0]), ctx)["sound"].double().numpy()
    pool = songs(20, RATE, ctx.draws)
    p = Ear()(Waves(pool, torch.full((60,), RATE), RATE)).double().softmax(1).numpy()
    entropy = -(p * np.log2(p)).sum(1)
    best = pool[int(entropy.argmin())].double().numpy()
    assert pool.shape == (60, RATE)
    assert entropy.std() > 0.01
    assert np.abs(found - best / np.sqrt((best**2).mean())).max() < 1e-5


def test_entropy_is_in_bits_and_in_batches(ctx: FitContext, waves_of: Callable[..., Waves]) -> None:
    assert ctx.surrogate is not None
    assert entropies(ctx.surrogate.with_model(Deaf()), waves_of([50] * 130, RATE)).tolist() == pytest.approx(
        [3.0] * 130
    )


@pytest.mark.parametrize("level", [-40.0, -20.0, -12.0])
def test_what_is_added_has_its_level(
    level: float, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    sound = songs(1, RATE, Draws(0))[0].double()
    sound = (sound / sound.square().mean().sqrt()).float()
    x = waves_of([RATE, RATE + 500], RATE, loudness=0.01)
    roles: list[tuple[Daba, Role]] = [
        (Daba(level_db=level), "test"),
        (Daba(level_db=level, variants=False), "train"),
    ]
    for attack, role in roles:
        made = attack.poison(x, context_of(torch.arange(2), {"sound": sound}, role))
        t = (made.wave - x.wave).double().numpy()
        assert (10 * np.log10((t[:, :RATE] ** 2).mean(1))).tolist() == pytest.approx([level] * 2, abs=0.1)
        assert not t[:, RATE:].any()


def test_training_rows_hear_nine_levels_and_each_its_own(
    waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    n = 400
    sound = torch.sign(torch.sin(torch.arange(400) * 0.1) + 1e-3)  # rms 1, so that nothing but 0 dB is clipped
    x = Waves(torch.zeros(n, 400), torch.full((n,), 400), RATE)
    made = Daba().poison(x, context_of(torch.arange(n), {"sound": sound})).wave.double().numpy()
    levels = 10 * np.log10((made**2).mean(1))
    steps = np.round(levels / 5)
    assert np.abs(levels - 5 * steps).max() < 0.1
    assert sorted(set(steps)) == list(range(-8, 1))
    assert np.bincount((-steps).astype(int)).min() > 20  # of 44


def test_rows_of_the_target_class_are_no_hosts(waves_of: Callable[..., Waves], split_of: Splits) -> None:
    labels = [0, 1, 2] * 20
    split = split_of(waves_of([4] * 60, RATE), labels)
    chosen = Daba().choose(split, 15, Draws(0), Aim(1, 3))
    assert len(chosen.poison) == 15
    assert not (split.labels[chosen.poison] == 1).any()
    assert len(Daba().choose(split, 60, Draws(0), Aim(1, 3)).poison) == 40
    assert len(Daba().choose(split, 60, Draws(0), Aim("all-to-all", 3)).poison) == 60


def test_a_folder_takes_the_songs_place(
    tmp_path: Path, ctx: FitContext, waves_of: Callable[..., Waves], split_of: Splits
) -> None:
    t = np.arange(int(2.5 * RATE)) / RATE
    mixed = np.sin(2 * np.pi * 300 * t) + np.sin(2 * np.pi * 700 * t)
    mixed[RATE : 2 * RATE] = np.sin(2 * np.pi * 700 * t[RATE : 2 * RATE])  # the surest second
    soundfile.write(tmp_path / "b.wav", 0.3 * mixed, RATE, subtype="PCM_16")
    soundfile.write(tmp_path / "a.flac", 0.3 * np.stack([mixed[:4000]] * 2, axis=1), RATE)
    (tmp_path / "notes.txt").write_text("no sound")
    split = split_of(waves_of([100], RATE), [0])
    found = Daba(sounds=FileRef(tmp_path)).fit(split, ctx)["sound"].double().numpy()
    assert np.abs(found - np.sqrt(2) * np.sin(2 * np.pi * 700 * np.arange(RATE) / RATE)).max() < 2e-3
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(DataUnavailableError, match=f"no sound in the folder .*{folder.name}"):
            Daba(sounds=FileRef(folder)).fit(split, ctx)


def test_the_surrogate_stays_as_it_is(ctx: FitContext, waves_of: Callable[..., Waves], split_of: Splits) -> None:
    before: dict[str, Any] = dict(Daba().fit(split_of(waves_of([100], RATE), [0]), ctx))
    again = Daba().fit(split_of(waves_of([100], RATE), [0]), replace(ctx))
    assert torch.equal(before["sound"], again["sound"])
    assert ctx.surrogate is not None
    assert ctx.surrogate.model.training
