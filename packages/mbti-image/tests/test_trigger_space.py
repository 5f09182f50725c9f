"""Triggers on pixels: identity, range, bound, size, gradients, and that inversion finds a patch that was planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbti_core.contracts.model import InputSpec, ModelInfo, Recipe
from mbti_core.data.rng import Draws
from mbti_core.errors import NotSupportedError
from mbti_core.plugins.manager import Registry
from mbti_image.trigger_space import BOUND

SPEC = InputSpec((3, 6, 8), "uint8", 0, 255)


class Corner(nn.Module):
    """Two classes: how white the lower right pixel is, against a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, x: Tensor) -> Tensor:
        corner = self.scale * (x[:, :, -1, -1].mean(1) - 0.8)
        return torch.stack([torch.zeros_like(corner), corner], 1)


def space(family: str, spec: InputSpec = SPEC) -> Any:
    info = ModelInfo("image/cnn", "image", spec, 2)
    return Registry().adapters.trigger_space(Corner(), info, spec, family)  # type: ignore[arg-type]  # a family by name


@pytest.fixture
def x() -> Tensor:
    return torch.rand(5, 3, 6, 8)


def test_a_masked_pattern_by_hand(x: Tensor) -> None:
    found = space("mask")
    params = {"mask": torch.randn(1, 6, 8), "pattern": torch.randn(3, 6, 8)}
    mask, pattern = ((np.tanh(params[n].double().numpy()) + 1) / 2 for n in ("mask", "pattern"))
    got = found.apply(x, params)
    np.testing.assert_allclose(got.numpy(), (1 - mask) * x.numpy() + mask * pattern, atol=1e-6)
    assert float(found.size(params)) == pytest.approx(float(mask.sum()), rel=1e-5)
    assert torch.equal(found.lift(Corner(), x), x)


def test_an_additive_pattern_by_hand(x: Tensor) -> None:
    found = space("additive")
    params = {"shift": 3 * torch.randn(3, 6, 8)}
    shift = BOUND * np.tanh(params["shift"].double().numpy())
    got = found.apply(x, params)
    np.testing.assert_allclose(got.numpy(), np.clip(x.numpy() + shift, 0, 1), atol=1e-6)
    assert float(found.size(params)) == pytest.approx(float(np.sqrt((shift**2).sum())), rel=1e-5)
    assert float((got - x).abs().max()) <= BOUND + 1e-6


@pytest.mark.parametrize(("family", "nothing"), [("mask", {"mask": -20.0}), ("additive", {"shift": 0.0})])
def test_no_trigger_is_the_identity(family: str, nothing: dict[str, float], x: Tensor) -> None:
    found = space(family)
    params = {n: torch.full_like(t, nothing[n]) if n in nothing else t for n, t in found.initial(Draws(0)).items()}
    torch.testing.assert_close(found.apply(x, params), x)
    assert float(found.size(params)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("family", ["mask", "additive"])
def test_triggered_pictures_stay_in_range(family: str, x: Tensor) -> None:
    found = space(family)
    for scale in (0.0, 1.0, 100.0):
        params = {n: scale * torch.randn_like(t) for n, t in found.initial(Draws(0)).items()}
        got = found.apply(x, params)
        assert got.shape == x.shape
        assert float(got.min()) >= 0
        assert float(got.max()) <= 1


@pytest.mark.parametrize("family", ["mask", "additive"])
def test_every_parameter_has_a_gradient_from_the_start(family: str, x: Tensor) -> None:
    found = space(family)
    params = {n: t.requires_grad_() for n, t in found.initial(Draws(0)).items()}
    triggered = found.apply(x, params)
    for loss in (triggered.square().sum(), found.size(params)):
        grads = torch.autograd.grad(loss, list(params.values()), retain_graph=True, allow_unused=True)
        assert all(bool(g.isfinite().all()) for g in grads if g is not None)
        assert any(bool(g.any()) for g in grads if g is not None)


def test_a_size_of_nothing_has_a_finite_gradient() -> None:
    shift = torch.zeros(3, 6, 8, requires_grad=True)
    (grad,) = torch.autograd.grad(space("additive").size({"shift": shift}), [shift])
    assert bool(grad.isfinite().all())


def test_the_start_is_drawn_uniformly() -> None:
    found = space("mask", InputSpec((3, 32, 32), "uint8", 0, 255))
    one, same, other = (found.initial(Draws(seed)) for seed in (1, 1, 2))
    assert {n: tuple(t.shape) for n, t in one.items()} == {"mask": (1, 32, 32), "pattern": (3, 32, 32)}
    for name in one:
        assert torch.equal(one[name], same[name])
        assert not torch.equal(one[name], other[name])
        unit = (one[name].tanh() + 1) / 2
        counts, _ = np.histogram(unit.numpy(), bins=4, range=(0, 1))
        assert counts.min() > 0.2 * counts.sum()
    assert torch.isfinite(one["mask"]).all()


def test_inversion_finds_the_pixel_that_decides(x: Tensor) -> None:
    found, model = space("mask"), Corner()
    params = {n: t.requires_grad_() for n, t in found.initial(Draws(0)).items()}
    optimizer = torch.optim.Adam(params.values(), lr=0.1, betas=(0.5, 0.9))
    want = torch.ones(len(x), dtype=torch.int64)
    for _ in range(400):
        logits = found.logits(model, found.apply(x, params))
        loss = nn.functional.cross_entropy(logits, want) + 0.01 * found.size(params)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    mask = ((params["mask"].detach().tanh() + 1) / 2)[0]
    assert float(mask[-1, -1]) > 0.8
    assert float(mask.sum()) < 1.5
    assert bool((found.logits(model, found.apply(x, params)).argmax(1) == 1).all())


def test_other_families_and_free_axes_have_no_triggers() -> None:
    with pytest.raises(NotSupportedError):
        space("warp")
    with pytest.raises(NotSupportedError):
        space("mask", InputSpec((3, None, None), "uint8", 0, 255))


def test_recipes() -> None:
    adapters = Registry().adapters
    for arch, optimizer in (("image/vit_b_16", "adamw"), ("image/vit_tiny", "adamw"), ("image/resnet18", "sgd")):
        recipe = adapters.recipe(ModelInfo(arch, "image", SPEC, 2))
        assert recipe.optimizer == optimizer
    assert adapters.recipe(ModelInfo("image/fast", "image", SPEC, 2)) == Recipe(early=3.0)
    assert adapters.recipe(ModelInfo("image/vgg16", "image", SPEC, 2)) == Recipe()
    assert adapters.input_shape(ModelInfo("image/vgg16", "image", SPEC, 2)) == SPEC
