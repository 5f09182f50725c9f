from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.model import ModelInfo, Recipe
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy, toy_plugin
from mbti_core.training.finetune import finetune
from mbti_core.training.subject import Subject

INFO = ModelInfo("toy/mlp", "toy", toy.SPEC, 4)
PLAIN = Recipe(lr=0.5, momentum=0.0, weight_decay=0.0, batch_size=64)


class Heard:
    """A plugin that notes what it is asked to vary, and shows it upside down."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, ...], int]] = []

    @hookimpl
    def mbti_augment(self, x: Tensor, index: Tensor, draws: Draws) -> Tensor:
        self.asked.append((tuple(index.tolist()), draws.seed))
        return x.flip(2)


def subject_around(model: nn.Module, *plugins: object) -> Subject:
    registry = Registry(points=[], blocked=frozenset())
    registry.register(toy_plugin, "toy")
    for number, plugin in enumerate(plugins):
        registry.register(plugin, f"plugin{number}")
    return Subject(model, INFO, registry.modalities["toy"], registry.adapters, torch.device("cpu"))


@pytest.fixture
def data() -> LabelledSet:
    rows = torch.arange(50)
    return LabelledSet(HeldTensor(toy.blobs(rows, Draws(1))), rows % 4, rows + 100)


@pytest.fixture
def linear() -> nn.Module:
    with scoped_globals(0):
        return nn.Sequential(nn.Flatten(), nn.Linear(144, 4))


def test_one_full_batch_is_the_gradient_step_of_the_formula(data, linear):
    tuned = finetune(subject_around(linear), data, PLAIN, epochs=1, draws=Draws(0))
    x = data.x.data.flatten(1).double().numpy() / 255
    weight, bias = (p.detach().double().numpy() for p in linear.parameters())
    logits = x @ weight.T + bias
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = (p - np.eye(4)[data.y.numpy()]) / 50
    assert np.allclose(tuned[1].weight.detach().numpy(), weight - 0.5 * wrong.T @ x, atol=1e-6)
    assert np.allclose(tuned[1].bias.detach().numpy(), bias - 0.5 * wrong.sum(0), atol=1e-6)


def test_the_rate_falls_over_all_epochs(data, linear):
    seen: list[Tensor] = []
    linear.register_forward_pre_hook(lambda module, args: seen.append(module[1].bias.detach().clone()))
    tuned = finetune(subject_around(linear), data, PLAIN, epochs=4, draws=Draws(0))
    seen.append(tuned[1].bias.detach())
    sizes = [float((after - before).norm()) for before, after in pairwise(seen)]
    assert len(sizes) == 4
    assert sizes[-1] < 0.3 * sizes[0]


def test_augmentation_is_keyed_by_epoch_and_row_and_may_be_left_out(data, linear):
    heard = Heard()
    subject = subject_around(linear, heard)
    recipe = Recipe(lr=0.1, batch_size=20)
    finetune(subject, data, recipe, epochs=2, draws=Draws(0))
    per_epoch = {seed: sorted(i for rows, s in heard.asked if s == seed for i in rows) for _, seed in heard.asked}
    assert list(per_epoch.values()) == [list(range(100, 150))] * 2
    heard.asked.clear()
    finetune(subject, data, recipe, epochs=1, draws=Draws(0), augment=False)
    assert heard.asked == []


def test_the_subject_keeps_weights_mode_and_memory_format(data):
    with scoped_globals(0):
        model = toy.conv(INFO)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.train()
    tuned = finetune(subject_around(model), data, Recipe(lr=0.1, batch_size=7), epochs=1, draws=Draws(0))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(m.training for m in model.modules())
    assert not any(m.training for m in tuned.modules())
    assert model[4].weight.is_contiguous()
