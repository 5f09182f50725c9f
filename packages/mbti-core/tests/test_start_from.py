"""Models that start from training inputs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from mbti_core.api import run
from mbti_core.contracts.component import Component
from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.contracts.model import ModelInfo
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy_plugin

SEEN: list[Tensor] = []


class Centered(nn.Sequential):
    """A net that subtracts the mean of what it saw."""

    mean: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(144, classes))
        self.register_buffer("mean", torch.zeros(1, 12, 12))

    def start_from(self, inputs: Tensor) -> None:
        SEEN.append(inputs)
        self.mean.copy_(inputs.mean(0))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - self.mean)


def centered(info: ModelInfo) -> nn.Module:
    """Make one."""
    return Centered(info.num_classes)


class Anew(Defense):
    """Gives back the model that it would train."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model_factory"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Train nothing."""
        assert view.model_factory is not None
        return DefenseOutcome(model=view.model_factory().model)


class Plugin:
    """The model and the defense above."""

    @hookimpl
    def mbti_register(self) -> list[Component]:
        return [
            Component("model", "toy/centered", f"{__name__}:centered", "Centered"),
            Component("defense", "toy/anew", f"{__name__}:Anew", "Anew"),
        ]


@pytest.mark.learn
def test_a_model_may_start_from_training_inputs(tmp_path: Path) -> None:
    registry = Registry(points=[])
    registry.register(toy_plugin, "toy")
    registry.register(Plugin(), "centered")
    SEEN.clear()
    train = {"epochs": 2, "lr": 0.05, "augment": 0.5, "label_smoothing": 0.1}
    spec = {"modality": "toy", "dataset": "blobs", "model": "centered", "train": train}
    results = run(spec, store=tmp_path, registry=registry)
    assert not results.failures
    assert len(SEEN) == 1
    assert SEEN[0].dtype == torch.float32
    assert len(SEEN[0]) == results.rows[0]["train_rows"]
    assert results.rows[0]["clean_accuracy"] > 0.5


@pytest.mark.learn
def test_so_does_a_model_that_a_defense_trains_anew(tmp_path: Path) -> None:
    registry = Registry(points=[])
    registry.register(toy_plugin, "toy")
    registry.register(Plugin(), "centered")
    SEEN.clear()
    spec = {"modality": "toy", "dataset": "blobs", "attack": "stamp", "model": "centered", "train": {"epochs": 1}}
    assert not run({**spec, "defenses": ["anew"]}, store=tmp_path, registry=registry).failures
    twin, victim, on_twin, on_victim = (x.double().sum((1, 2, 3)).sort().values for x in SEEN)
    assert torch.equal(on_twin, twin)  # the same rows, in another order
    assert torch.equal(on_victim, victim)
    assert not torch.equal(twin, victim)
