"""Triggers on waveforms: identity, range, bound, size, gradients, and that inversion finds what was planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbti_audio.models.sound_model import SoundModel
from mbti_audio.trigger_space import BOUND
from mbti_audio.waves import Waves
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.rng import Draws
from mbti_core.errors import NotSupportedError
from mbti_core.plugins.manager import Registry

RATE = 1000
SPEC = InputSpec((60,), "int16", -1, 1)


class Loud(SoundModel):
    """Two classes: how high the mean of samples 40 to 49 is, against a constant; and how long the sound is."""

    def __init__(self, window: float = 0.06) -> None:
        super().__init__(RATE, window, 2, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[0.0, 0.01], [20.0, 0.0]]))
            self.head.bias.copy_(torch.tensor([0.0, -8.0]))

    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        return torch.stack([wave[:, 40:50].sum(1) / 10, lengths.to(wave.dtype)], 1)


def space(family: str, spec: InputSpec = SPEC, model: nn.Module | None = None) -> Any:
    info = ModelInfo("audio/loud", "audio", spec, 2)
    model = Loud() if model is None else model
    return Registry().adapters.trigger_space(model, info, spec, family)  # type: ignore[arg-type]  # a family by name


@pytest.fixture
def x(waves_of: Callable[..., Waves]) -> Waves:
    return waves_of([60, 45, 60, 3, 0], rate=RATE, loudness=0.2)


def by_hand(unit: np.ndarray, samples: int) -> np.ndarray:
    """Straight lines between the middles of steps, level before the first and behind the last."""
    step = samples / len(unit)
    line: np.ndarray = np.interp(np.arange(samples) + 0.5, (np.arange(len(unit)) + 0.5) * step, unit)
    return line


def test_a_masked_pattern_by_hand(x: Waves) -> None:
    found = space("mask")
    params = {"mask": torch.randn(6), "pattern": torch.randn(60)}
    mask = by_hand((np.tanh(params["mask"].double().numpy()) + 1) / 2, 60)
    pattern = np.tanh(params["pattern"].double().numpy())
    lifted = found.lift(Loud(), x)
    assert lifted.shape == (5, 2, 60)
    got = found.apply(lifted, params)
    wanted = ((1 - mask) * x.wave.numpy() + mask * pattern) * x.inside.numpy()
    np.testing.assert_allclose(got[:, 0].numpy(), wanted, atol=1e-6)
    assert torch.equal(got[:, 1] > 0, x.inside)
    assert float(found.size(params)) == pytest.approx(float(((params["mask"].tanh() + 1) / 2).sum()), rel=1e-5)


def test_an_additive_wave_by_hand(x: Waves) -> None:
    found = space("additive")
    params = {"shift": 3 * torch.randn(60)}
    shift = BOUND * np.tanh(params["shift"].double().numpy())
    got = found.apply(found.lift(Loud(), x), params)[:, 0]
    np.testing.assert_allclose(got.numpy(), np.clip(x.wave.numpy() + shift, -1, 1) * x.inside.numpy(), atol=1e-6)
    assert float(found.size(params)) == pytest.approx(float(np.sqrt((shift**2).sum())), rel=1e-5)
    assert float((got - x.wave).abs().max()) <= BOUND + 1e-6


@pytest.mark.parametrize("family", ["mask", "additive"])
@pytest.mark.parametrize("lengths", [[60, 45, 3, 0], [200, 170, 61, 1]])
def test_lifting_leaves_the_logits_as_they_are(family: str, lengths: list[int], waves_of: Callable[..., Waves]) -> None:
    x, model = waves_of(lengths, rate=RATE, loudness=0.2), Loud().eval()
    found = space(family, InputSpec((None,), "int16", -1, 1), model)
    torch.testing.assert_close(found.logits(model, found.lift(model, x)), model(x))


@pytest.mark.parametrize(("family", "nothing"), [("mask", {"mask": -20.0}), ("additive", {"shift": 0.0})])
def test_no_trigger_is_the_identity(family: str, nothing: dict[str, float], x: Waves) -> None:
    found = space(family)
    params = {n: torch.full_like(t, nothing[n]) if n in nothing else t for n, t in found.initial(Draws(0)).items()}
    torch.testing.assert_close(found.apply(found.lift(Loud(), x), params)[:, 0], x.wave)
    assert float(found.size(params)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("family", ["mask", "additive"])
def test_triggered_sounds_stay_in_range_and_end_where_they_did(family: str, x: Waves) -> None:
    found = space(family)
    for scale in (0.0, 1.0, 100.0):
        params = {n: scale * torch.randn_like(t) for n, t in found.initial(Draws(0)).items()}
        got = found.apply(found.lift(Loud(), x), params)[:, 0]
        assert got.shape == x.wave.shape
        assert float(got.abs().max()) <= 1
        assert not bool(got[~x.inside].any())


@pytest.mark.parametrize("family", ["mask", "additive"])
@pytest.mark.parametrize("samples", [20, 60, 150])
def test_a_trigger_is_cut_or_ends_before_the_sound(family: str, samples: int, waves_of: Callable[..., Waves]) -> None:
    x = waves_of([samples], rate=RATE, loudness=0.2)
    found = space(family)
    lifted = found.lift(Loud(), x)
    got = found.apply(lifted, found.initial(Draws(0)))
    assert got.shape == lifted.shape
    assert bool((got != lifted)[0, 0, : min(samples, 60)].any())
    assert torch.equal(got[0, 0, 60:], lifted[0, 0, 60:])


@pytest.mark.parametrize("family", ["mask", "additive"])
def test_stacked_triggers_give_what_each_gives_alone(family: str, x: Waves) -> None:
    found, model = space(family), Loud().eval()
    lifted = found.lift(model, x)
    apart = [found.initial(Draws(seed)) for seed in (0, 1, 2)]
    both = {n: torch.stack([params[n] for params in apart])[:, None] for n in apart[0]}
    triggered = found.apply(lifted, both)
    assert triggered.shape == (3, 5, 2, 60)
    torch.testing.assert_close(triggered, torch.stack([found.apply(lifted, params) for params in apart]))
    torch.testing.assert_close(found.size(both), torch.stack([found.size(params) for params in apart])[:, None])
    logits = found.logits(model, triggered)
    assert logits.shape == (3, 5, 2)
    torch.testing.assert_close(logits[1], found.logits(model, found.apply(lifted, apart[1])))


@pytest.mark.parametrize("family", ["mask", "additive"])
def test_every_parameter_has_a_gradient_from_the_start(family: str, x: Waves) -> None:
    found, model = space(family), Loud().eval()
    params = {n: t.requires_grad_() for n, t in found.initial(Draws(0)).items()}
    loss = found.logits(model, found.apply(found.lift(model, x), params)).square().sum() + found.size(params)
    for grad in torch.autograd.grad(loss, list(params.values())):
        assert bool(grad.isfinite().all())
        assert bool(grad.any())


def test_a_size_of_nothing_has_a_finite_gradient() -> None:
    shift = torch.zeros(60, requires_grad=True)
    (grad,) = torch.autograd.grad(space("additive").size({"shift": shift}), [shift])
    assert bool(grad.isfinite().all())


def test_the_start_is_a_uniform_mask_and_a_faint_pattern() -> None:
    found = space("mask", InputSpec((4000,), "int16", -1, 1), Loud(window=10.0))
    one, same, other = (found.initial(Draws(seed)) for seed in (1, 1, 2))
    assert {n: tuple(t.shape) for n, t in one.items()} == {"mask": (400,), "pattern": (4000,)}
    for name in one:
        assert torch.equal(one[name], same[name])
        assert not torch.equal(one[name], other[name])
    counts, _ = np.histogram(((one["mask"].tanh() + 1) / 2).numpy(), bins=4, range=(0, 1))
    assert counts.min() > 0.18 * 400
    assert float(one["pattern"].tanh().abs().max()) <= 0.1
    assert abs(float(one["pattern"].mean())) < 0.01


@pytest.mark.parametrize(("shape", "samples"), [((60,), 60), ((30,), 30), ((None,), 60), ((500,), 60)])
def test_a_trigger_is_as_long_as_a_sound_but_not_than_a_window(shape: tuple[int | None, ...], samples: int) -> None:
    assert len(space("additive", InputSpec(shape, "int16", -1, 1)).initial(Draws(0))["shift"]) == samples


def test_inversion_finds_the_stretch_that_decides(waves_of: Callable[..., Waves]) -> None:
    x, found, model = waves_of([60] * 8, rate=RATE, loudness=0.1), space("mask"), Loud().eval()
    params = {n: t.requires_grad_() for n, t in found.initial(Draws(0)).items()}
    lifted, want = found.lift(model, x), torch.ones(8, dtype=torch.int64)
    for _ in range(100):
        logits = found.logits(model, found.apply(lifted, params))
        loss = nn.functional.cross_entropy(logits, want) + 0.05 * found.size(params)
        grads = torch.autograd.grad(loss, list(params.values()))
        # By signs: an optimizer's first step imports torch's compiler, which takes seconds.
        params = {
            n: (t - 0.1 * g.sign()).detach().requires_grad_() for (n, t), g in zip(params.items(), grads, strict=True)
        }
    mask = (params["mask"].detach().tanh() + 1) / 2
    assert int(mask.argmax()) == 4
    assert float(mask[4]) > 0.8
    assert float(mask[:3].max()) < 0.1
    assert float(params["pattern"].detach()[40:50].tanh().min()) > 0.8
    assert bool((found.logits(model, found.apply(lifted, params)).argmax(1) == 1).all())


class Plain(nn.Module):
    """Somebody's model of sounds, which says nothing of a rate or a window."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(1, 2)

    def forward(self, x: Waves) -> Tensor:
        y: Tensor = self.out(x.wave.abs().mean(1, keepdim=True))
        return y


@pytest.mark.parametrize(("spec", "samples"), [(SPEC, 60), (InputSpec((None,), "int16", -1, 1), RATE)])
def test_a_model_without_a_window_hears_a_trigger_as_long_as_its_sounds_or_a_second(
    x: Waves, spec: InputSpec, samples: int
) -> None:
    info, model = ModelInfo("audio/plain", "audio", spec, 2, {"rate": RATE}), Plain()
    found = Registry().adapters.trigger_space(model, info, spec)
    params = found.initial(Draws(0))
    assert params["pattern"].shape == (samples,)
    shown = found.apply(found.lift(model, x), {name: p[None, None] for name, p in params.items()})
    assert shown.shape == (1, 5, 2, 60)
    torch.testing.assert_close(found.logits(model, shown)[0], model(x.with_wave(shown[0, :, 0])))


def test_other_families_and_models_have_no_triggers() -> None:
    with pytest.raises(NotSupportedError):
        space("warp")
    with pytest.raises(NotSupportedError):
        space("mask", model=nn.Linear(3, 2))
