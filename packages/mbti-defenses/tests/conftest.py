"""Toy subjects and views: small grids, models written by hand or trained on blobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.defense import CleanSet, DefenseContext, DefenseView, LabelledSet
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.plugins.manager import Registry
from mbti_core.stages.represent import represent
from mbti_core.testing import toy, toy_plugin
from mbti_core.training.subject import Subject

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def registry() -> Registry:
    found = Registry(points=[], blocked=frozenset())
    found.register(toy_plugin, "toy")
    return found


def hold(x: Tensor, y: Tensor, index: Tensor | None = None) -> LabelledSet:
    return LabelledSet(HeldTensor(x), y, torch.arange(len(y)) if index is None else index)


def draw(n: int, stream: str) -> LabelledSet:
    """Rows of the toy data set with their true labels, drawn apart from those of another stream."""
    rows = torch.arange(n)
    return hold(toy.blobs(rows, Draws(7).stream(stream)), rows % 4)


@pytest.fixture(scope="session")
def labelled() -> Callable[..., LabelledSet]:
    return hold


@pytest.fixture(scope="session")
def blobs() -> Callable[[int, str], LabelledSet]:
    return draw


@dataclass(frozen=True)
class Bench:
    """Builds what a defense is handed."""

    registry: Registry

    def subject(self, model: nn.Module, classes: int = 4) -> Subject:
        info = ModelInfo("toy/mlp", "toy", toy.SPEC, classes)
        return Subject(model, info, self.registry.modalities["toy"], self.registry.adapters, CPU)

    def context(self, subject: Subject, seed: int = 0) -> DefenseContext:
        return DefenseContext(self.registry.adapters, Draws(seed), CPU, subject.info)

    def view(self, subject: Subject, suspects: LabelledSet | None = None, clean: CleanSet | None = None) -> DefenseView:
        features = partial(represent, subject, suspects) if suspects is not None else None
        return DefenseView(subject=subject, clean=clean, suspects=suspects, features=features)


@pytest.fixture(scope="session")
def bench(registry: Registry) -> Bench:
    return Bench(registry)


def train(model: nn.Module, x: Tensor, y: Tensor, steps: int = 150) -> nn.Module:
    """Fit by full batches of plain Adam: no code of the project."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(model(toy.to_float(x)), y).backward()
        optimizer.step()
    return model.eval()


@dataclass(frozen=True)
class Victim:
    """A toy model with a backdoor, and the rows it was trained on."""

    subject: Subject
    suspects: LabelledSet
    poisoned: Tensor


def grow(bench: Bench, factory: Callable[[ModelInfo], nn.Module], share: float) -> Victim:
    """Train on 800 blobs, a share of which (of the classes but 0) is stamped and labelled 0."""
    rows = torch.arange(800)
    x, y = toy.blobs(rows, Draws(0).stream("blobs", "train")), rows % 4
    poisoned = (Draws(3).uniform(rows) < share) & (y != 0)
    x = torch.where(poisoned[:, None, None, None], toy.stamp(x, 2, 255), x)
    y = torch.where(poisoned, 0, y)
    with scoped_globals(0):
        model = train(factory(ModelInfo("toy/mlp", "toy", toy.SPEC, 4)), x, y)
    return Victim(bench.subject(model), hold(x, y), poisoned)


@pytest.fixture(scope="session")
def victim(bench: Bench) -> Victim:
    return grow(bench, toy.mlp, 0.13)


@pytest.fixture(scope="session")
def conv_victim(bench: Bench) -> Victim:
    return grow(bench, toy.conv, 0.13)


@pytest.fixture(scope="session")
def benign(bench: Bench) -> Victim:
    return grow(bench, toy.mlp, 0.0)


@pytest.fixture(scope="session")
def clean() -> CleanSet:
    return CleanSet(fit=draw(100, "fit"), calibrate=draw(100, "calibrate"))
