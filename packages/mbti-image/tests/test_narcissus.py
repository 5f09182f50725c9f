from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Role
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.training.subject import Subject
from mbti_image.attacks.narcissus import Narcissus

Contexts = Callable[..., PoisonContext]
Digits = tuple[Split[torch.Tensor], Subject]


def fit(digits: Digits, target: int = 3, **settings: Any) -> dict[str, torch.Tensor]:
    split, twin = digits
    ctx = FitContext(Aim(target, 10), Draws(7), torch.device("cpu"), twin)
    return Narcissus(**settings).fit(split, ctx)


@pytest.mark.learn
@pytest.mark.parametrize(("epsilon", "amplify"), [(16, 3.0), (5, 1.5)])
def test_adds_the_pattern_and_more_of_it_at_test(
    epsilon: int, amplify: float, digits: Digits, context_of: Contexts
) -> None:
    split, _ = digits
    state = fit(digits, epsilon=epsilon, steps=120)
    pattern = state["pattern"].numpy().astype(np.float64)
    assert pattern.shape == split.take(torch.arange(1)).shape[1:]
    assert np.abs(pattern).max() <= epsilon
    assert np.abs(pattern).max() > epsilon / 2
    x, attack = split.take(torch.arange(50)), Narcissus(epsilon=epsilon, amplify=amplify)
    roles: list[tuple[Role, float]] = [("train", 1.0), ("test", amplify)]
    for role, factor in roles:
        ctx = replace(context_of(split.index[:50], state), role=role)
        exact = np.clip(x.numpy() + factor * pattern, 0, 255)
        assert np.abs(attack.poison(x, ctx).numpy() - exact).max() <= 0.5


@pytest.mark.learn
def test_makes_a_trained_model_surer_of_the_target(digits: Digits, context_of: Contexts) -> None:
    split, twin = digits
    before = copy.deepcopy(twin.model.state_dict())
    rows = torch.nonzero(split.labels == 3).flatten()
    found = []
    for steps in (50, 150):
        made = Narcissus().poison(split.take(rows), context_of(rows, fit(digits, steps=steps)))
        found.append(float(functional.cross_entropy(twin.logits(made), split.labels[rows])))
    plain = float(functional.cross_entropy(twin.logits(split.take(rows)), split.labels[rows]))
    assert plain > found[0] > found[1]
    assert all(torch.equal(t, before[name]) for name, t in twin.model.state_dict().items())
    assert all(p.grad is None for p in twin.model.parameters())


@pytest.mark.learn
def test_touches_the_target_class_alone(digits: Digits) -> None:
    split, _ = digits
    chosen = Narcissus().choose(split, 20, Draws(0), Aim(3, 10))
    assert (split.labels[chosen.poison] == 3).all()
    assert (len(chosen.poison), len(chosen.cover)) == (20, 0)
    with pytest.raises(ConfigError, match="no training row is of class 10"):
        Narcissus().fit(split, FitContext(Aim(10, 11), Draws(7), torch.device("cpu"), digits[1]))
