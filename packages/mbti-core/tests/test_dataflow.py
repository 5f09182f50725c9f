"""Prunable layers are found by what reads what, whatever the order in which modules are registered."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.plugins.manager import Registry

SPEC = InputSpec((3, 8, 8), "uint8", 0, 255)


class Skipped(nn.Module):
    """The norm reads the convolution, and so does a sum; norms stand before what they belong to."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_b = nn.BatchNorm2d(4)
        self.norm_a = nn.BatchNorm2d(4)
        self.a, self.b, self.c = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        y = self.norm_b(self.b(functional.relu(self.norm_a(x))))
        return self.fc((self.c(y) + x).mean((2, 3)))


class Twice(nn.Module):
    """One norm for two convolutions, and one convolution used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm, self.own = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.b(self.norm(self.a(x))))
        x = self.own(self.c(self.own(self.c(x))))
        return self.fc(x.mean((2, 3)))


class Gated(nn.Module):
    """Squeeze and excitation, and a sigmoid that scales nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.down, self.up = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)
        self.b = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.norm(self.a(x)))
        x = x * self.up(functional.relu(self.down(x.mean((2, 3), keepdim=True)))).sigmoid()
        return self.fc(self.b(x).sigmoid().mean((2, 3)))


class Attending(nn.Module):
    """Patches by a convolution, attention with linear layers of its own, and an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, 4)
        self.q, self.k, self.v, self.out = (nn.Linear(6, 6) for _ in range(4))
        self.down, self.up = nn.Linear(24, 6), nn.Linear(6, 24)
        self.norm = nn.LayerNorm(6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x))
        x = x + self.out(mixed)
        x = x + self.down(functional.gelu(self.up(self.norm(x))))
        return self.fc(x.mean(1))


class Softmaxed(Attending):
    """Attention written out."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.out((self.q(x) @ self.k(x).transpose(1, 2)).softmax(-1) @ self.v(x))
        return self.fc((x + self.down(functional.gelu(self.up(self.norm(x))))).mean(1))


def log_probabilities() -> nn.Module:
    """End in a softmax, which is no attention."""
    return nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 5), nn.LogSoftmax(1))


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5)
    )


CASES = [
    (Skipped, {"a": None, "b": "norm_b", "c": None}),
    (Twice, {"a": None, "b": None, "c": "own"}),
    (Gated, {"a": "norm", "b": None}),
    (Attending, {"up": None}),
    (Softmaxed, {"up": None}),
    (log_probabilities, {"0": "1"}),
    (mlp, {"1": "2", "4": None}),
]


def found(model: nn.Module, spec: InputSpec = SPEC) -> dict[str, str | None]:
    layers = Registry(points=[]).adapters.prunable_layers(model, ModelInfo("toy/made", "toy", spec, 5))
    for layer in layers:
        assert model.get_parameter(f"{layer.module}.weight").shape[layer.axis] == layer.units
    return {layer.module: layer.norm for layer in layers}


@pytest.mark.parametrize(("make", "expected"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_layers_and_their_norms(make: type[nn.Module], expected: dict[str, str | None]) -> None:
    assert found(make()) == expected
    assert list(found(make())) == list(expected), "the order is that of the calls"


@pytest.mark.parametrize("make", [Skipped, Twice, Gated, mlp])
def test_a_norm_at_zero_removes_the_unit(make: type[nn.Module]) -> None:
    model = make().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.bias)
    x = torch.rand(3, 3, 8, 8)
    for name, norm in found(model).items():
        if norm is not None:
            masked = copy.deepcopy(model)
            for slot in ("weight", "bias"):
                masked.get_parameter(f"{norm}.{slot}").data[1] = 0
            without = copy.deepcopy(masked)
            for slot in ("weight", "bias"):
                without.get_parameter(f"{name}.{slot}").data[1] = 0
            torch.testing.assert_close(masked(x), without(x))
            assert not torch.allclose(masked(x), model(x))


def test_the_model_is_left_as_it_is() -> None:
    model = Skipped()
    model.norm_a.eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with torch.inference_mode():
        assert found(model) == CASES[0][1]
    assert model.training
    assert not model.norm_a.training
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_frozen_model_is_followed() -> None:
    assert found(Skipped().requires_grad_(requires_grad=False)) == CASES[0][1]


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec((4,), "str", 0, 1),
        InputSpec((3, None, None), "uint8", 0, 255),
        InputSpec((3, 8, 8), "int64", 0, 9, discrete=True),
        InputSpec((2, 8, 8), "uint8", 0, 255),
    ],
    ids=["text", "free", "symbols", "other"],
)
def test_what_cannot_be_followed_is_read_off_its_registration(spec: InputSpec) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    assert found(model, spec) == {"0": "1", "2": None}
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
