"""A short sound, learned against a clean model."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbti_audio.attacks.flowmur import FlowMur
from mbti_audio.modality import AudioModality
from mbti_audio.models.sound_model import SoundModel
from mbti_audio.placing import added
from mbti_audio.sample import INPUT
from mbti_audio.surrogate import losses
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import Registry
from mbti_core.training.subject import Subject

RATE = 2000
CPU = torch.device("cpu")


class Ear(SoundModel):
    """A filter bank on the raw wave, averaged over time."""

    def __init__(self) -> None:
        super().__init__(RATE, 1.0, 12, 3)
        self.filters = nn.Conv1d(1, 12, 32, stride=16)

    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        return 20 * torch.relu(self.filters(wave[:, None])).mean(2)


@pytest.fixture
def ctx() -> FitContext:
    with scoped_globals(0):
        model = Ear().eval()
    info = ModelInfo("audio/ear", "audio", INPUT, 3, {})
    return FitContext(Aim(1, 3), Draws(7), CPU, Subject(model, info, AudioModality(), Registry().adapters, CPU))


@pytest.fixture
def split(waves_of: Callable[..., Waves], split_of: Callable[..., Split[Waves]]) -> Split[Waves]:
    return split_of(waves_of([RATE, 700, 1500] * 20, RATE), [0, 1, 2] * 20)


@pytest.mark.learn
def test_the_sound_makes_the_surrogate_hear_the_target_anywhere(ctx: FitContext, split: Split[Waves]) -> None:
    assert ctx.surrogate is not None
    before = copy.deepcopy(ctx.surrogate.model.state_dict())
    sound = FlowMur(steps=80).fit(split, ctx)["sound"]
    assert sound.shape == (RATE // 2,)
    assert float(sound.abs().max()) <= 0.2
    x = split.take(torch.nonzero(split.labels == 0).flatten())
    found = []
    for t in (torch.zeros_like(sound), torch.full_like(sound, 0.1), sound):
        for start in (0, 500, 1500):
            made = x.with_wave(added(x.wave, t, torch.full((len(x),), start)))
            found.append(float(losses(ctx.surrogate, made, 1).detach().mean()))
    clean, begun, learned = found[:3], found[3:6], found[6:]
    for other in (clean, begun):
        assert all(new < old - 0.02 for new, old in zip(learned, other, strict=True))
    assert all(torch.equal(before[name], t) for name, t in ctx.surrogate.model.state_dict().items())
    assert all(p.grad is None for p in ctx.surrogate.model.parameters())
    assert not ctx.surrogate.model.training


def test_losses_are_cross_entropies(ctx: FitContext, waves_of: Callable[..., Waves]) -> None:
    assert ctx.surrogate is not None
    x = waves_of([RATE, 900], RATE)
    p = ctx.surrogate.logits(x).double().softmax(1).numpy()
    assert losses(ctx.surrogate, x, 2).tolist() == pytest.approx((-np.log(p[:, 2])).tolist(), rel=1e-5)


@pytest.mark.parametrize("snr", [10.0, 30.0])
def test_training_rows_get_it_far_below_their_energy(
    snr: float, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    sound = 0.2 * torch.sin(torch.arange(1000) * 0.3 + 1)
    x = waves_of([4000, 2500, 1000], RATE, loudness=0.1)
    made = FlowMur(snr_db=snr).poison(x, context_of(torch.arange(3), {"sound": sound}))
    t, clean = (made.wave - x.wave).double().numpy(), x.wave.double().numpy()
    assert (10 * np.log10((clean**2).sum(1) / (t**2).sum(1))).tolist() == pytest.approx([snr] * 3, abs=0.1)
    shape = np.sin(np.arange(1000) * 0.3 + 1)
    for row in range(3):
        first = int(np.flatnonzero(np.abs(t[row]) > 1e-7)[0])
        assert np.corrcoef(t[row, first : first + 1000], shape)[0, 1] > 0.999


def test_test_rows_get_it_at_full_strength(
    waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    sound = 0.2 * torch.sin(torch.arange(500) * 0.3 + 1)
    x = waves_of([4000] * 30, RATE)
    made = FlowMur().poison(x, context_of(torch.arange(30), {"sound": sound}, "test"))
    t = (made.wave - x.wave).double().numpy()
    firsts = [int(np.flatnonzero(row)[0]) for row in t]
    for row, first in zip(t, firsts, strict=True):
        assert np.abs(row[first : first + 500] - sound.double().numpy()).max() < 1e-6
        assert not row[first + 500 :].any()
    assert len(set(firsts)) > 20
    assert max(firsts) <= 3500


def test_only_rows_of_the_target_class_are_poisoned(split: Split[Waves]) -> None:
    chosen = FlowMur().choose(split, 12, Draws(0), Aim(1, 3))
    assert len(chosen.poison) == 12
    assert (split.labels[chosen.poison] == 1).all()


def test_asks_for_one_target_and_for_other_classes(
    ctx: FitContext, waves_of: Callable[..., Waves], split_of: Callable[..., Split[Waves]]
) -> None:
    with pytest.raises(ConfigError, match="every training row is of class 1"):
        FlowMur().fit(split_of(waves_of([9], RATE), [1]), ctx)
    with pytest.raises(ConfigError, match=r"attack\.target"):
        FlowMur().fit(
            split_of(waves_of([9], RATE), [1]), FitContext(Aim("all-to-all", 3), Draws(7), CPU, ctx.surrogate)
        )
