from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from mbti_core.contracts.defense import DefenseView, LabelledSet
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.engine.config import TrainConfig
from mbti_core.errors import ConfigError
from mbti_core.testing import toy
from mbti_core.training.loop import fit_model
from mbti_core.training.step import TrainBatch
from mbti_defenses.repair.abl import ABL, Forgetting, row_losses, some


class Context:
    """What a step is told: logits are the samples themselves, times one weight."""

    def __init__(self) -> None:
        self.weight = torch.ones((), requires_grad=True)

    def forward(self, x: torch.Tensor, index: torch.Tensor, epoch: int) -> torch.Tensor:
        return self.weight * x

    def loss(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, y)


def gradient(step, x: torch.Tensor, y: torch.Tensor) -> float:
    ctx = Context()
    step(TrainBatch(x, y, torch.arange(len(y)), 0), ctx).backward()
    return float(ctx.weight.grad)


HARD = torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]), torch.tensor([0, 1])
EASY = torch.tensor([[5.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), torch.tensor([0, 1])


@pytest.mark.parametrize("loss", ["lga", "flooding"])
def test_above_gamma_it_descends_and_below_it_climbs(loss):
    step = ABL(loss=loss).held_back
    for (x, y), sign in ((HARD, 1), (EASY, -1)):
        weight = torch.ones((), requires_grad=True)
        functional.cross_entropy(weight * x, y).backward()
        assert gradient(step, x, y) == sign * float(weight.grad)


def forgotten(isolated: torch.Tensor, y: torch.Tensor, beside: torch.Tensor) -> float:
    """Return the gradient where both isolated rows stand beside the same other row."""
    x, labels = torch.cat([isolated, beside]), torch.cat([y, torch.tensor([0])])
    rows = LabelledSet(HeldTensor(x), labels, torch.tensor([3, 7, 9]))
    ctx = Context()
    Forgetting(rows, torch.tensor([2]), Draws(0))(TrainBatch(isolated, y, torch.tensor([3, 7]), 0), ctx).backward()
    return float(ctx.weight.grad)


def test_what_is_forgotten_well_enough_is_let_be():
    x, y = EASY
    silent = torch.zeros(1, 3)  # a row without a gradient
    assert forgotten(x, y, silent) > 0  # a smaller weight is a larger loss: descent makes it smaller
    wrong = torch.tensor([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]])
    assert functional.cross_entropy(wrong, y) > 2 * math.log(3)
    assert forgotten(wrong, y, silent) == 0


def test_what_stands_beside_is_learned_on():
    wrong, y, other = torch.tensor([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]]), EASY[1], torch.tensor([[0.5, 1.0, 0.0]])
    weight = torch.ones((), requires_grad=True)
    functional.cross_entropy(weight * other, torch.tensor([0])).backward()
    assert forgotten(wrong, y, other) == pytest.approx(float(weight.grad), rel=1e-6)


def factory(bench):
    def fresh():
        with scoped_globals(1):
            return bench.subject(toy.conv(ModelInfo("toy/mlp", "toy", toy.SPEC, 4)))

    return fresh


@pytest.mark.parametrize("early", [0.5, 2])
def test_isolated_and_rest_are_all_rows_and_the_model_is_new(bench, conv_victim, early):
    suspects = conv_victim.suspects
    view = DefenseView(suspects=suspects, model_factory=factory(bench))
    out = ABL(early=early, epochs=1, unlearn=1, isolate=0.05).defend(view, bench.context(conv_victim.subject))
    assert int(out.flags.sum()) == out.notes["isolated"] == 40
    assert torch.equal(out.keep, ~out.flags)
    assert out.scores[out.flags].min() >= out.scores[out.keep].max()
    assert not any(m.training for m in out.model.modules())
    assert out.notes["loss_of_isolated"] < out.notes["loss_of_rest"]


def test_the_order_of_the_rows_decides_nothing(bench, conv_victim):
    abl, ctx = ABL(early=1, epochs=1, unlearn=1, isolate=0.05), bench.context(conv_victim.subject)
    one = abl.defend(DefenseView(suspects=conv_victim.suspects, model_factory=factory(bench)), ctx)
    shuffle = torch.randperm(800, generator=torch.Generator().manual_seed(0))
    moved = some(conv_victim.suspects, shuffle)
    two = abl.defend(DefenseView(suspects=moved, model_factory=factory(bench)), ctx)
    assert torch.equal(two.scores, one.scores[shuffle])
    assert torch.equal(two.flags, one.flags[shuffle])


def test_losses_are_each_row_s_own(bench, victim):
    found = row_losses(victim.subject, victim.suspects)
    x, y = victim.suspects.x.data, victim.suspects.y
    for row in (0, 5, 799):
        one = functional.cross_entropy(victim.subject.logits(x[row : row + 1]), y[row : row + 1])
        assert float(found[row]) == pytest.approx(float(one), rel=1e-4, abs=1e-6)


def test_some_rows_are_a_set_of_their_own(blobs):
    data = blobs(20, "x")
    part = some(data, torch.tensor([7, 3]))
    assert len(part.x) == 2
    assert torch.equal(part.x.take(torch.tensor([1])), data.x.data[3:4])
    assert part.index.tolist() == [7, 3]


def test_one_row_is_too_few(bench, victim, blobs):
    view = DefenseView(suspects=blobs(1, "x"), model_factory=factory(bench))
    with pytest.raises(ConfigError, match="ABL needs at least 2 training rows, got 1"):
        ABL().defend(view, bench.context(victim.subject))


def speckled(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return noise in which one quarter, that of the class, is a little brighter: hard to learn beside a stamp."""
    x, y = torch.randint(0, 200, (n, 1, 12, 12), generator=torch.Generator().manual_seed(seed)), torch.arange(n) % 4
    for quarter in range(4):
        top, left = divmod(quarter, 2)
        x[y == quarter, :, 6 * top : 6 * top + 6, 6 * left : 6 * left + 6] += 20
    return x.clamp(0, 255).to(torch.uint8), y


@pytest.mark.learn
def test_a_constant_feature_is_isolated_and_unlearned(bench, labelled, victim):
    x, y = speckled(800, 0)
    poisoned = (torch.arange(800) % 10 == 1) & (y != 0)
    x = torch.where(poisoned[:, None, None, None], toy.stamp(x, 3, 255), x)
    view = DefenseView(suspects=labelled(x, torch.where(poisoned, 0, y)), model_factory=factory(bench))
    out = ABL(early=3, epochs=10, unlearn=20, isolate=0.05, lr=0.05).defend(view, bench.context(victim.subject))
    assert poisoned[out.flags].float().mean() >= 0.95
    repaired = victim.subject.with_model(out.model)
    fresh, truth = speckled(400, 9)
    stamped = toy.stamp(fresh[truth != 0], 3, 255)
    assert (repaired.logits(fresh).argmax(1) == truth).float().mean() > 0.5
    assert (repaired.logits(stamped).argmax(1) == 0).float().mean() < 0.1


def test_the_rest_is_trained_as_the_model_under_suspicion_was(bench, victim, monkeypatch):
    seen = []

    def spy(fit):
        seen.append(fit.config)
        return fit_model(fit)

    monkeypatch.setattr("mbti_defenses.repair.abl.fit_model", spy)
    told = TrainConfig(epochs=3, optimizer="adam", lr=0.002, label_smoothing=0.1)
    view = DefenseView(suspects=victim.suspects, model_factory=factory(bench))
    cases = [({}, told, 3, 0.002), ({"epochs": 2, "lr": 0.05}, told, 2, 0.05), ({}, None, 10, 0.01)]
    for settings, training, epochs, lr in cases:
        seen.clear()
        context = replace(bench.context(victim.subject), training=training)
        notes = ABL(early=1, unlearn=1, **settings).defend(view, context).notes
        early, rest, ascent = seen
        assert (rest.epochs, rest.lr) == (notes["epochs"], notes["lr"]) == (epochs, lr)
        assert (rest.optimizer, rest.label_smoothing) == (("adam", 0.1) if training else ("sgd", 0.0))
        assert early.optimizer == ascent.optimizer == "sgd"
