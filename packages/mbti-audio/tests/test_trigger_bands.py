"""Triggers on log mel bands: identity, by hand, stacked, gradients, what is shown, and that inversion finds a band."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbti_audio.models import lstm, m5, melcnn, resnet, vggvox, xvector
from mbti_audio.models.front import LogMel
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_audio.trigger_bands import SPAN
from mbti_audio.waves import Waves
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.errors import NotSupportedError
from mbti_core.plugins.manager import Registry

RATE, SAMPLES, FRAMES = 16000, 8000, 51
INPUT = InputSpec((SAMPLES,), "int16", -32768, 32767)
FACTORIES: dict[str, Callable[[ModelInfo], nn.Module]] = {
    "melcnn": melcnn.melcnn,
    "melcnn_8k": partial(melcnn.melcnn, hears=8000),
    "lstm": lstm.lstm,
    "attention_rnn": lstm.attention_rnn,
    "xvector": xvector.xvector,
    "vggvox": vggvox.vggvox,
    "resnet18": resnet.resnet18,
}


def built(factory: Callable[[ModelInfo], nn.Module], spec: InputSpec = INPUT) -> tuple[Any, Any]:
    """Return a model with statistics other than 0 and 1, and its space."""
    info = ModelInfo("audio/any", "audio", spec, 5, {"rate": RATE})
    with scoped_globals(1):
        model = factory(info).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
            module.running_mean.fill_(-0.5)
            assert module.running_var is not None
            module.running_var.fill_(4.0)
    return model, Registry().adapters.trigger_space(model, info, spec, "front")


@pytest.fixture
def x(waves_of: Callable[..., Waves]) -> Waves:
    return waves_of([8000, 5000, 8000, 3], rate=RATE)


@pytest.mark.parametrize("name", FACTORIES)
def test_lifting_leaves_the_logits_as_they_are_and_a_closed_mask_the_bands(name: str, x: Waves) -> None:
    model, space = built(FACTORIES[name])
    with torch.no_grad():
        lifted = space.lift(model, x)
        torch.testing.assert_close(space.logits(model, lifted), model(x))
        params = space.initial(Draws(0))
        assert params["mask"].shape == params["pattern"].shape == (lifted.shape[1] - 1, FRAMES)
        closed = {**params, "mask": torch.full_like(params["mask"], -20.0)}
        torch.testing.assert_close(space.apply(lifted, closed), lifted)
        assert float(space.size(closed)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", FACTORIES)
def test_stacked_triggers_give_what_each_gives_alone(name: str, x: Waves) -> None:
    model, space = built(FACTORIES[name])
    apart = [space.initial(Draws(seed)) for seed in (0, 1)]
    both = {n: torch.stack([params[n] for params in apart])[:, None] for n in apart[0]}
    with torch.no_grad():
        lifted = space.lift(model, x)
        triggered = space.apply(lifted, both)
        assert triggered.shape == (2, *lifted.shape)
        torch.testing.assert_close(triggered, torch.stack([space.apply(lifted, params) for params in apart]))
        torch.testing.assert_close(space.size(both), torch.stack([space.size(params) for params in apart])[:, None])
        alone = space.logits(model, triggered[1])
        torch.testing.assert_close(space.logits(model, triggered)[1], alone, rtol=1e-3, atol=1e-4)


def test_masked_bands_by_hand(x: Waves) -> None:
    model, space = built(melcnn.melcnn)
    params = {"mask": torch.randn(64, FRAMES), "pattern": torch.randn(64, FRAMES)}
    with torch.no_grad():
        bands, frames = model.heard(x.wave, x.lengths)
        got = space.apply(space.lift(model, x), params)
    mask = (np.tanh(params["mask"].numpy()) + 1) / 2
    wanted = (1 - mask) * bands.numpy() + mask * SPAN * np.tanh(params["pattern"].numpy())
    assert frames.tolist() == [51, 32, 51, 1]
    for row, count in enumerate(frames.tolist()):
        np.testing.assert_allclose(got[row, :64, :count], wanted[row, :, :count], atol=1e-5)
        assert not bool(got[row, :, count:].any())
    assert float(space.size(params)) == pytest.approx(float(mask.sum()), rel=1e-5)


def test_every_parameter_has_a_gradient_from_the_start(x: Waves) -> None:
    model, space = built(melcnn.melcnn)
    params = {n: t.requires_grad_() for n, t in space.initial(Draws(0)).items()}
    loss = space.logits(model, space.apply(space.lift(model, x), params)).square().sum() + space.size(params)
    for grad in torch.autograd.grad(loss, list(params.values())):
        assert bool(grad.isfinite().all())
        assert bool(grad.any())


@pytest.mark.parametrize("name", ["melcnn", "melcnn_8k", "attention_rnn"])
def test_what_is_shown_sounds_in_the_bands_of_the_trigger_alone(name: str) -> None:
    model, space = built(FACTORIES[name])
    top = 4000 if name == "melcnn_8k" else 8000
    params = {n: torch.full_like(t, -20.0) for n, t in space.initial(Draws(0)).items()}
    params["mask"][30:33, :25], params["pattern"][30:33, :25] = 20.0, 20.0
    mel = torch.linspace(0, 2595 * np.log10(1 + top / 700), 66)[[30, 34]]
    low, high = (700 * (10 ** (mel / 2595) - 1)).tolist()
    shown = space.shown(model, params)
    assert shown.rate == RATE
    assert shown.wave.shape == (1, SAMPLES)
    assert float(shown.wave.abs().max()) <= 1
    spectrum = np.abs(np.fft.rfft(shown.wave[0, :3500].double().numpy())) ** 2
    frequency = np.fft.rfftfreq(3500, 1 / RATE)
    inside = (frequency > low) & (frequency < high)
    assert spectrum[inside].sum() > 0.8 * spectrum.sum()
    assert float(shown.wave[0, 4500:].square().sum()) < 0.05 * float(shown.wave.square().sum())
    assert torch.equal(space.shown(model, params).wave, shown.wave)


class Whistle(SpectrogramModel):
    """Two classes: how loud band 20 is in frames 10 to 19, against a constant."""

    def __init__(self) -> None:
        super().__init__(RATE, 1.0, 1, 2)
        self.front = LogMel(RATE, 40)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[0.0], [2.0]]))
            self.head.bias.copy_(torch.tensor([0.0, 0.0]))

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        return bands[:, 20, 10:20].mean(1, keepdim=True)


def test_inversion_finds_the_band_that_decides(waves_of: Callable[..., Waves]) -> None:
    x = waves_of([8000] * 8, rate=RATE, loudness=0.1)
    model, space = built(lambda info: Whistle())
    model.front.norm.running_mean.fill_(20.0)  # the bands are negative: class 0
    params = {n: t.requires_grad_() for n, t in space.initial(Draws(0)).items()}
    lifted, want = space.lift(model, x).detach(), torch.ones(8, dtype=torch.int64)
    assert bool((space.logits(model, lifted).argmax(1) == 0).all())
    for _ in range(80):
        logits = space.logits(model, space.apply(lifted, params))
        loss = nn.functional.cross_entropy(logits, want) + 0.001 * space.size(params)
        grads = torch.autograd.grad(loss, list(params.values()))
        # By signs: an optimizer's first step imports torch's compiler, which takes seconds.
        params = {
            n: (t - 0.1 * g.sign()).detach().requires_grad_() for (n, t), g in zip(params.items(), grads, strict=True)
        }
    mask = (params["mask"].detach().tanh() + 1) / 2
    assert float(mask[20, 10:20].min()) > 0.5
    mask[20, 10:20] = 0
    assert float(mask.max()) < 0.1
    assert bool((space.logits(model, space.apply(lifted, params)).argmax(1) == 1).all())


def test_models_without_bands_and_sounds_beyond_the_window_have_no_such_triggers() -> None:
    for factory, spec in (
        (m5.m5, INPUT),
        (melcnn.melcnn, InputSpec((100_000,), "int16", -32768, 32767)),
    ):
        with pytest.raises(NotSupportedError):
            built(factory, spec)


def test_sounds_of_any_length_have_such_triggers_where_they_fit_a_window(waves_of: Callable[..., Waves]) -> None:
    model, space = built(melcnn.melcnn, InputSpec((None,), "int16", -32768, 32767))
    params = space.initial(Draws(0))
    assert params["mask"].shape == (64, 301)  # three seconds
    lifted = space.lift(model, waves_of([8000, 300], rate=RATE))
    assert space.apply(lifted, params).shape == lifted.shape == (2, 65, FRAMES)
    with pytest.raises(NotSupportedError, match=r"of 48,000 samples here; a sound has 48,001\."):
        space.lift(model, waves_of([48001], rate=RATE))
