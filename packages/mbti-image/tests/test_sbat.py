from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.attacks.sbat import SBAT, perturbed
from mbti_image.generator import kept_generator
from mbti_image.modality import to_float

Contexts = Callable[..., PoisonContext]
Steps = Callable[..., StepContext[Any]]
NOISE = 2 * Draws(1).uniform(torch.arange(50), (3, 32, 32)) - 1
SMALL = SBAT(width=4, donors=10)


def small_victim() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 10)
    )


@pytest.mark.parametrize("epsilon", [1.0, 8.0, 20.5])
def test_agrees_with_the_formula_and_stays_in_the_bound(
    epsilon: float, images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = SBAT(width=4, donors=10, epsilon=epsilon)
    beside = attack.start(nn.Identity(), fit_context)
    state = attack.fit(split, fit_context) | {f"beside.{name}": t for name, t in beside.state_dict().items()}
    got = attack.poison(images, context_of(split.index, state)).double()
    with torch.no_grad():
        pattern = kept_generator(3, 4, state, "beside.")(to_float(images)).double().tanh()
    exact = (images.double() + epsilon * pattern).clamp(0, 255)
    assert float((got - exact).abs().max()) <= 0.5 + 0.01
    assert float((got - images).abs().max()) <= epsilon + 0.5


def test_two_pictures_get_different_patterns(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = SBAT(width=4, donors=10, epsilon=100.0)
    beside = attack.start(nn.Identity(), fit_context)
    state = attack.fit(split, fit_context) | {f"beside.{name}": t for name, t in beside.state_dict().items()}
    residual = attack.poison(images, context_of(split.index, state)).int() - images
    assert not torch.equal(residual[0], residual[1])


def test_perturbations_stay_in_the_bound_and_lower_the_loss_of_the_goal(
    images: torch.Tensor, step_context_of: Steps
) -> None:
    victim = small_victim()
    ctx = step_context_of(victim)
    x, goal = to_float(images), torch.zeros(50, dtype=torch.int64)
    running = {name: t.clone() for name, t in victim.state_dict().items()}
    made = perturbed(x, goal, NOISE, 8 / 255, 3, ctx)
    assert victim.training
    assert all(torch.equal(victim.state_dict()[name], t) for name, t in running.items())
    assert all(p.grad is None for p in victim.parameters())
    assert not made.requires_grad
    assert float((made - x).abs().max()) <= 8.5 / 255
    victim.eval()
    before, after = (functional.cross_entropy(victim(z), goal) for z in (x + 8 / 255 * NOISE, made))
    assert bool(after < before)


def test_half_of_the_perturbations_are_one(images: torch.Tensor, step_context_of: Steps) -> None:
    x = to_float(images.clamp(20, 235))  # far from the ends, so that nothing is clipped
    change = perturbed(x, torch.zeros(50, dtype=torch.int64), NOISE, 8 / 255, 2, step_context_of(small_victim()))
    change = ((change - x) * 255).round()
    assert all(torch.equal(row, change[0]) for row in change[1:25])
    assert all(not torch.equal(row, change[0]) for row in change[25:])


def test_a_step_trains_victim_and_generator(split: Split[Any], fit_context: FitContext, step_context_of: Steps) -> None:
    victim = small_victim()
    generator = SMALL.start(victim, fit_context)
    seen: list[torch.Tensor] = []
    ctx = step_context_of(victim, generator, SMALL.fit(split, fit_context), ratio=0.2, seen=seen)
    x = split.take(torch.arange(50))
    SMALL.step(TrainBatch(x, split.labels, split.index, 0), ctx).backward()  # type: ignore[no-untyped-call]  # untyped
    for module in (victim, generator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    changed = (seen[-1] != to_float(x)).flatten(1).any(1)
    assert torch.equal(changed, ctx.draws.stream("members", 0).uniform(split.index) < 0.6)
    assert float((seen[-1].detach() - to_float(x)).abs().max()) <= 8.5 / 255


@pytest.mark.parametrize("ratio", [1e-9, 1.0])
def test_a_step_without_any_member_or_with_no_clean_row(
    ratio: float, split: Split[Any], fit_context: FitContext, step_context_of: Steps
) -> None:
    victim = small_victim()
    ctx = step_context_of(victim, SMALL.start(victim, fit_context), SMALL.fit(split, fit_context), ratio=ratio)
    batch = TrainBatch(split.take(torch.arange(50)), split.labels, split.index, 0)
    assert SMALL.step(batch, ctx).isfinite()


@pytest.mark.parametrize("settings", [{"epsilon": 0.5}, {"attack_steps": 0}, {"adverse_ratio": -1.0}])
def test_refuses_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SBAT.model_validate(settings)
