from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.split import Split
from mbti_core.plugins.manager import registry
from mbti_core.training.step import StepContext, TrainBatch
from mbti_core.training.subject import Subject
from mbti_image.attacks.lira import LIRA
from mbti_image.generator import kept_generator
from mbti_image.modality import modality, to_float
from mbti_image.models.cnn import cnn

Contexts = Callable[..., PoisonContext]
Steps = Callable[..., StepContext[Any]]
SMALL = LIRA(width=4, steps=3)


@pytest.fixture
def with_twin(fit_context: FitContext) -> FitContext:
    info = ModelInfo("image/cnn", "image", InputSpec((3, 32, 32), "uint8", 0, 255), 10)
    twin = Subject(cnn(info, width=4).eval(), info, modality(), registry().adapters, torch.device("cpu"))
    return replace(fit_context, surrogate=twin)


@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_agrees_with_the_formula_and_stays_in_the_bound(
    epsilon: float, images: torch.Tensor, split: Split[Any], with_twin: FitContext, context_of: Contexts
) -> None:
    attack = LIRA(width=4, steps=3, epsilon=epsilon)
    state = attack.fit(split, with_twin)
    got = attack.poison(images, context_of(split.index, state)).double()
    with torch.no_grad():
        pattern = kept_generator(3, 4, state, "net.")(to_float(images)).double().tanh()
    exact = (images.double() + epsilon * pattern).clamp(0, 255)
    assert float((got - exact).abs().max()) <= 0.5 + 0.01
    assert float((got - images).abs().max()) <= epsilon + 0.5


def test_the_first_stage_leaves_the_twin_as_it_is_and_is_seeded(split: Split[Any], with_twin: FitContext) -> None:
    assert with_twin.surrogate is not None
    model = with_twin.surrogate.model
    before = {name: t.clone() for name, t in model.state_dict().items()}
    first, second = SMALL.fit(split, with_twin), SMALL.fit(split, with_twin)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(model.state_dict()[name], t) for name, t in before.items())
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_second_stage_keeps_the_net(
    split: Split[Any], with_twin: FitContext, step_context_of: Steps, context_of: Contexts
) -> None:
    state = SMALL.fit(split, with_twin)
    before = {name: t.clone() for name, t in state.items()}
    victim = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    seen: list[torch.Tensor] = []
    ctx = step_context_of(victim, state=state, ratio=0.3, seen=seen)
    x = split.take(torch.arange(50))
    kept = x.clone()
    SMALL.step(TrainBatch(x, split.labels, split.index, 0), ctx).backward()  # type: ignore[no-untyped-call]  # untyped
    assert torch.equal(x, kept)
    assert SMALL.start(victim, with_twin) is None
    assert all(torch.equal(state[name], t) for name, t in before.items())
    hit = ctx.draws.stream("members", 0).uniform(split.index) < 0.3
    assert torch.equal(seen[0][~hit], x[~hit])
    made = SMALL.poison(x, context_of(split.index, state))
    difference = (seen[0][hit].int() - made[hit].int()).abs()
    assert int(difference.max()) <= 1  # batches of other sizes may round otherwise
