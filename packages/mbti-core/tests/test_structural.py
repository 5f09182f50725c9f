"""What core reads off a module that ends with a convolution: its features, and units that are no classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo
from mbti_core.data.dense import HeldTensor
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy
from mbti_core.training.subject import Subject

INFO = ModelInfo("toy/maps", "toy", toy.SPEC, 4)
FREE = InputSpec((1, None, None), "uint8", 0, 255)  # of free axes no sample can be made up: registration order counts


class Maps(nn.Module):
    """A map of each class, averaged; with a linear layer inside, of another width."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.body, self.gate = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(6, 6)
        self.maps = nn.Conv2d(6, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.body(x))
        z: Tensor = self.maps(y * self.gate(y.mean((2, 3)))[..., None, None]).mean((2, 3))
        return z


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[], blocked=frozenset())
    return found


def test_its_features_are_what_the_last_convolution_reads_averaged(registry: Registry) -> None:
    model, x = Maps().eval(), torch.randint(0, 255, (5, 1, 12, 12), dtype=torch.uint8)
    assert registry.adapters.feature_layer(model, INFO) == FeatureTap("maps", pool="mean")
    subject = Subject(model, INFO, toy.modality(), registry.adapters, torch.device("cpu"))
    with torch.no_grad():
        y = torch.relu(model.body(toy.to_float(x)))
        expected = (y * model.gate(y.mean((2, 3)))[..., None, None]).mean((2, 3))
    torch.testing.assert_close(subject.features(HeldTensor(x)), expected)


@pytest.mark.parametrize("spec", [toy.SPEC, FREE])
def test_no_class_is_a_unit_that_may_be_removed(registry: Registry, spec: InputSpec) -> None:
    layers = registry.adapters.prunable_layers(Maps(), ModelInfo("toy/maps", "toy", spec, 4))
    assert [(layer.module, layer.units) for layer in layers] == [("body", 6)]


def test_a_linear_layer_of_the_classes_comes_first(registry: Registry) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(400, 4))
    assert registry.adapters.feature_layer(model, INFO) == FeatureTap("2")
    assert [layer.module for layer in registry.adapters.prunable_layers(model, INFO)] == ["0"]
