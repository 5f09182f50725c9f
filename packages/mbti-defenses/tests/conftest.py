"""Toy subjects and views: small grids, models written by hand or trained on blobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.defense import CleanSet, DefenseContext, DefenseView, LabelledSet
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy, toy_plugin
from mbti_core.training.subject import Subject

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def registry() -> Registry:
    found = Registry(points=[], blocked=frozenset())
    found.register(toy_plugin, "toy")
    return found


def labelled(x: Tensor, y: Tensor, first: int = 0) -> LabelledSet:
    return LabelledSet(HeldTensor(x), y, torch.arange(first, first + len(y)))


def blobs(n: int, stream: str, first: int = 0) -> LabelledSet:
    """Rows of the toy data set with their true labels, drawn apart from others of another stream."""
    rows = torch.arange(n)
    return labelled(toy.blobs(rows, Draws(7).stream(stream)), rows % 4, first)


@dataclass(frozen=True)
class Bench:
    """Builds what a defense is handed."""

    registry: Registry

    def subject(self, model: nn.Module, classes: int = 4) -> Subject:
        info = ModelInfo("toy/mlp", "toy", toy.SPEC, classes)
        return Subject(model, info, self.registry.modalities["toy"], self.registry.adapters, CPU)

    def context(self, subject: Subject, seed: int = 0, log: Callable[..., None] = lambda step, values: None) -> DefenseContext:
        return DefenseContext(self.registry.adapters, Draws(seed), CPU, subject.info, log)

    def view(self, subject: Subject, suspects: LabelledSet | None = None, clean: CleanSet | None = None) -> DefenseView:
        return DefenseView(subject=subject, clean=clean, suspects=suspects)


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


@pytest.fixture(scope="session")
def victim(bench: Bench) -> Victim:
    """An MLP trained on 800 blobs, 10 % of which are stamped and labelled 0."""
    x, y = toy.blobs(torch.arange(800), Draws(0).stream("blobs", "train")), torch.arange(800) % 4
    poisoned = (Draws(3).uniform(torch.arange(800)) < 0.13) & (y != 0)
    x = torch.where(poisoned[:, None, None, None], toy.stamp(x, 2, 255), x)
    y = torch.where(poisoned, 0, y)
    with scoped_globals(0):
        model = train(toy.mlp(ModelInfo("toy/mlp", "toy", toy.SPEC, 4)), x, y)
    return Victim(bench.subject(model), labelled(x, y), poisoned)


@pytest.fixture(scope="session")
def benign(bench: Bench) -> Victim:
    """The same without an attack."""
    x, y = toy.blobs(torch.arange(800), Draws(0).stream("blobs", "train")), torch.arange(800) % 4
    with scoped_globals(0):
        model = train(toy.mlp(ModelInfo("toy/mlp", "toy", toy.SPEC, 4)), x, y)
    return Victim(bench.subject(model), labelled(x, y), torch.zeros(800, dtype=torch.bool))


@pytest.fixture(scope="session")
def clean() -> CleanSet:
    return CleanSet(fit=blobs(100, "fit", 5000), calibrate=blobs(100, "calibrate", 6000))
