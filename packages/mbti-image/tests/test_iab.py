from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind
from mbti_core.data.split import Split
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.attacks.iab import IAB, bounded, likeness, sharp
from mbti_image.generator import kept_generator
from mbti_image.modality import to_float

Contexts = Callable[..., PoisonContext]
Steps = Callable[..., StepContext[Any]]
SMALL = IAB(width=4, mask_steps=3, donors=10)


def whole_state(attack: IAB, split: Split[Any], ctx: FitContext) -> dict[str, torch.Tensor]:
    """What training leaves behind if the generator stays as it starts."""
    beside = attack.start(torch.nn.Identity(), ctx)
    return attack.fit(split, ctx) | {f"beside.{name}": t for name, t in beside.state_dict().items()}


def test_squashing_agrees_with_the_formulas() -> None:
    v = np.linspace(-3, 3, 61)
    inside = np.tanh(v) / (2 + 1e-7) + 0.5
    mask = np.tanh(20 * inside - 10) / (2 + 1e-7) + 0.5
    np.testing.assert_allclose(bounded(torch.from_numpy(v)).numpy(), inside, atol=1e-12)
    np.testing.assert_allclose(sharp(torch.from_numpy(v)).numpy(), mask, atol=1e-12)
    assert mask.min() < 1e-4
    assert mask.max() > 1 - 1e-4


def test_likeness_is_the_mean_ratio_of_distances() -> None:
    random = np.random.default_rng(0)
    x, other, made, of_other = (random.random((5, 3, 8, 8)) for _ in range(4))

    def rms(a: Any, b: Any) -> Any:
        return np.sqrt(((a - b) ** 2).mean((1, 2, 3)))

    expected = (rms(x, other) / (rms(made, of_other) + 1e-7)).mean()
    got = likeness(*(torch.from_numpy(t) for t in (x, other, made, of_other)))
    assert float(got) == pytest.approx(expected)


def test_a_picture_beside_itself_gives_no_nan() -> None:
    x = torch.rand(2, 3, 8, 8)
    made = torch.rand(2, 3, 8, 8, requires_grad=True)
    likeness(x, x, made, made).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert made.grad is not None
    assert made.grad.isfinite().all()


def test_triggered_rows_lie_between_picture_and_pattern(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    state = whole_state(SMALL, split, fit_context)
    got = SMALL.poison(images, context_of(split.index, state)).double() / 255
    x = to_float(images)
    with torch.no_grad():
        t = bounded(kept_generator(3, 4, state, "beside.")(x))
        m = sharp(kept_generator(1, 4, state, "mask.")(x))
    exact = x.double() * (1 - m.double()) + t.double() * m.double()
    assert float((got - exact).abs().max()) <= (0.5 + 0.01) / 255
    assert (got >= torch.minimum(x, t) - 0.51 / 255).all()
    assert (got <= torch.maximum(x, t) + 0.51 / 255).all()


def test_cover_rows_take_the_pattern_and_mask_of_a_donor(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    state = whole_state(SMALL, split, fit_context)
    one = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    lonely = state | {"donors": one, "donor_ids": torch.tensor([-1])}  # every row gets this one
    got = SMALL.poison(images, context_of(split.index, lonely, RowKind.COVER)).double() / 255
    with torch.no_grad():
        t = bounded(kept_generator(3, 4, state, "beside.")(to_float(one)))
        m = sharp(kept_generator(1, 4, state, "mask.")(to_float(one)))
    exact = to_float(images) * (1 - m) + t * m
    assert float((got - exact).abs().max()) <= (0.5 + 0.01) / 255


def test_a_step_trains_victim_and_generator_and_leaves_the_mask(
    split: Split[Any], fit_context: FitContext, step_context_of: Steps
) -> None:
    state = SMALL.fit(split, fit_context)
    before = {name: t.clone() for name, t in state.items()}
    victim = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    generator = SMALL.start(victim, fit_context)
    seen: list[torch.Tensor] = []
    ctx = step_context_of(victim, generator, state, ratio=0.3, seen=seen)
    x = split.take(torch.arange(50))
    loss = SMALL.step(TrainBatch(x, split.labels, split.index, 0), ctx)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    for module in (victim, generator):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    draw = ctx.draws.stream("members", 0).uniform(split.index)
    changed = (seen[0] != to_float(x)).flatten(1).any(1)
    assert torch.equal(changed, draw < 0.6)
    levels = seen[0].detach() * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert all(torch.equal(state[name], t) for name, t in before.items())


@pytest.mark.parametrize("ratio", [1e-9, 1.0])
def test_a_step_without_any_member_or_with_no_clean_row(
    ratio: float, split: Split[Any], fit_context: FitContext, step_context_of: Steps
) -> None:
    victim = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    ctx = step_context_of(victim, SMALL.start(victim, fit_context), SMALL.fit(split, fit_context), ratio=ratio)
    batch = TrainBatch(split.take(torch.arange(50)), split.labels, split.index, 0)
    assert SMALL.step(batch, ctx).isfinite()


def test_every_class_keeps_its_label_under_a_foreign_pattern() -> None:
    assert IAB().covers(torch.arange(10), Aim(0, 10)).all()
