from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import registry
from mbti_core.training.subject import Subject
from mbti_image.attacks.lc import LabelConsistent
from mbti_image.modality import modality
from mbti_image.surrogate import hardened, losses

Contexts = Callable[..., PoisonContext]
Array = np.ndarray[Any, np.dtype[Any]]
Digits = tuple[Split[torch.Tensor], Subject]

# The lower left and the upper left corner of Turner et al.; the right ones are their mirror images.
LEFT = np.array([[1, -1, -1], [-1, 1, -1], [1, -1, 1]])


def pattern_by_hand(side: int) -> Array:
    pattern = np.zeros((side, side), dtype=int)
    for row in range(3):
        for column in range(3):
            for top in (0, side - 3):
                pattern[top + row, column] = LEFT[row][column]
                pattern[top + row, side - 1 - column] = LEFT[row][column]
    return pattern


def linear_surrogate(side: int = 32) -> tuple[Subject, Array, Array]:
    """A linear classifier of ten classes, whose gradient is known in closed form."""
    random = np.random.default_rng(5)
    weight, bias = random.normal(0, 0.05, (10, 3 * side * side)), random.normal(0, 1, 10)
    layer = nn.Linear(3 * side * side, 10)
    layer.load_state_dict({"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()})
    info = ModelInfo("image/linear", "image", InputSpec((3, side, side), "uint8", 0, 255), 10)
    model = nn.Sequential(nn.Flatten(), layer).eval()
    return Subject(model, info, modality(), registry().adapters, torch.device("cpu")), weight, bias


def ascent_by_hand(x: Array, y: int, weight: Array, bias: Array, eps: float, step: float, rounds: int) -> Array:
    """Return what projected gradient ascent on the cross-entropy makes of one picture (P,) in [0, 255]."""
    clean = x / 255
    moved = clean.copy()
    for _ in range(rounds):
        logits = weight @ moved + bias
        p = np.exp(logits - logits.max())
        p = p / p.sum()
        p[y] -= 1
        moved = moved + step / 255 * np.sign(weight.T @ p)
        moved = np.clip(np.clip(moved, clean - eps / 255, clean + eps / 255), 0, 1)
    return 255 * moved


@pytest.fixture
def surrogate_context(fit_context: FitContext) -> FitContext:
    return replace(fit_context, surrogate=linear_surrogate()[0])


@pytest.mark.parametrize(("epsilon", "step", "rounds"), [(8, 1.5, 20), (5, 2.0, 3), (12, 0.7, 7)])
def test_perturbs_along_the_gradient(
    epsilon: int,
    step: float,
    rounds: int,
    images: torch.Tensor,
    split: Split[Any],
    surrogate_context: FitContext,
    context_of: Contexts,
) -> None:
    attack = LabelConsistent(hardening=0, epsilon=epsilon, step=step, iterations=rounds, amplitude=0)
    state = attack.fit(split, surrogate_context)
    got = attack.poison(images, context_of(split.index, state)).numpy()
    _, weight, bias = linear_surrogate()
    for row in range(len(images)):
        x = images[row].numpy().reshape(-1).astype(np.float64)
        if row % 10:
            np.testing.assert_array_equal(got[row].reshape(-1), x)
            continue
        exact = ascent_by_hand(x, 0, weight, bias, epsilon, step, rounds)
        far = np.abs(got[row].reshape(-1) - exact) > 0.5 + 1e-3
        assert far.mean() < 0.002  # slopes of nearly 0 have another sign in single precision
        assert np.abs(got[row].reshape(-1) - x).max() <= epsilon


def test_puts_the_pattern_of_the_source_into_the_corners(
    images: torch.Tensor, split: Split[Any], surrogate_context: FitContext, context_of: Contexts
) -> None:
    pattern = pattern_by_hand(32)
    assert (int((pattern > 0).sum()), int((pattern < 0).sum())) == (16, 20)
    for amplitude in (255, 64):
        attack = LabelConsistent(hardening=0, amplitude=amplitude)
        state = attack.fit(split, surrogate_context)
        test = replace(context_of(split.index, state), role="test")
        exact = np.clip(images.numpy().astype(int) + amplitude * pattern, 0, 255)
        np.testing.assert_array_equal(attack.poison(images, test).numpy(), exact)  # no perturbation at test
        if amplitude == 255:
            trained = attack.poison(images, context_of(split.index, state)).numpy()
            assert (trained[:, :, pattern > 0] == 255).all()
            assert (trained[:, :, pattern < 0] == 0).all()


def test_the_pattern_survives_a_mirror(
    images: torch.Tensor, split: Split[Any], surrogate_context: FitContext, context_of: Contexts
) -> None:
    attack = LabelConsistent(hardening=0)
    test = replace(context_of(split.index, attack.fit(split, surrogate_context)), role="test")
    assert torch.equal(attack.poison(images, test).flip(-1), attack.poison(images.flip(-1), test))


def test_a_row_that_fit_has_not_seen_gets_the_pattern_alone(
    images: torch.Tensor, split: Split[Any], surrogate_context: FitContext, context_of: Contexts
) -> None:
    attack = LabelConsistent(hardening=0)
    state = attack.fit(split, surrogate_context)
    assert state["rows"].tolist() == [1000, 1030, 1060, 1090, 1120]
    for strangers in (torch.arange(50), torch.arange(50) + 10**6):
        train = context_of(strangers, state)
        assert torch.equal(attack.poison(images, train), attack.poison(images, replace(train, role="test")))


@pytest.mark.learn
def test_a_trained_model_no_longer_knows_the_perturbed_rows(digits: Digits, context_of: Contexts) -> None:
    split, twin = digits
    before, ctx = copy.deepcopy(twin.model.state_dict()), FitContext(Aim(3, 10), Draws(7), torch.device("cpu"), twin)
    attack = LabelConsistent(
        hardening=0, epsilon=40, step=5.0, amplitude=0
    )  # black and white digits bear more than photographs
    state = attack.fit(split, ctx)
    assert torch.equal(state["rows"], split.index[split.labels == 3].sort().values)
    rows = torch.nonzero(split.labels == 3).flatten()
    clean = split.take(rows)
    made = attack.poison(clean, context_of(split.index[rows], state))
    assert (made.int() - clean).abs().max() <= 40
    share = [float((twin.logits(x).argmax(1) == 3).double().mean()) for x in (clean, made)]
    assert share[0] > 0.9
    assert share[1] < 0.2
    assert all(torch.equal(t, before[name]) for name, t in twin.model.state_dict().items())
    assert all(p.grad is None for p in twin.model.parameters())


@pytest.mark.learn
def test_a_hardened_copy_withstands_what_fools_the_twin(digits: Digits) -> None:
    split, twin = digits
    before, ctx = copy.deepcopy(twin.model.state_dict()), FitContext(Aim(3, 10), Draws(7), torch.device("cpu"), twin)
    robust = hardened(twin, split, 40, 150, ctx)
    rows = torch.arange(300)
    x, y = twin.encode(split.take(rows)), split.labels[rows]
    correct = []
    for model in (twin, robust):
        at = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(losses(model, at, y).sum(), [at])
        changed = (x + 40 / 255 * slope.sign()).clamp(0, 1)
        with torch.no_grad():
            correct.append(float((model.model(changed).argmax(1) == y).double().mean()))
    assert correct[1] > correct[0] + 0.2
    assert all(torch.equal(t, before[name]) for name, t in twin.model.state_dict().items())
    assert not robust.model.training


def test_says_what_it_cannot_do(split: Split[Any], surrogate_context: FitContext) -> None:
    with pytest.raises(ConfigError, match=r"attack\.target.*one class.*all-to-all"):
        LabelConsistent(hardening=0).fit(split, replace(surrogate_context, aim=Aim("all-to-all", 10)))
    with pytest.raises(ConfigError, match=r"attack\.target: no training row is of class 11"):
        LabelConsistent(hardening=0).fit(split, replace(surrogate_context, aim=Aim(11, 12)))

    class Tiny:
        def __len__(self) -> int:
            return 1

        def take(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(rows), 3, 8, 5, dtype=torch.uint8)

    with pytest.raises(ConfigError, match="at least 6 x 6 pixels, got 8 x 5"):
        LabelConsistent(hardening=0).fit(replace(split, column=Tiny()), surrogate_context)
