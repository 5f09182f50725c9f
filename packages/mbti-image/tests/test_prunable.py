"""Prunable layers of real architectures, against what their authors wrote down, and by what a unit's removal does."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from mbti_core.contracts.model import InputSpec, ModelInfo, PrunableLayer
from mbti_core.plugins.manager import Registry

Pairs = dict[str, str | None]
NARROW: dict[str, dict[str, Any]] = {
    "preactresnet18": {"width": 8},
    "vgg11_bn": {"width": 8},
    "vgg16": {"width": 8},
    "densenet121": {"growth": 8},
    "mobilenet_v2": {"width": 0.25},
    "mobilenet_v3_large": {"width": 0.25},
    "vit_tiny": {"width": 24, "depth": 2},
}


def made(name: str, side: int = 32) -> tuple[nn.Module, list[PrunableLayer]]:
    """Return a model and its prunable layers."""
    registry = Registry()
    info = ModelInfo(f"image/{name}", "image", InputSpec((3, side, side), "uint8", 0, 255), 10)
    model = registry.find("model", name, "image").load()(info, **NARROW.get(name, {}))
    return model, list(registry.adapters.prunable_layers(model, info))


def convolutions(model: nn.Module) -> list[str]:
    return [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]


def resnet(model: nn.Module) -> Pairs:
    """Each convolution by the norm of its number; a projection by the second of its pair."""
    special = {"net.conv1": "net.bn1"}
    return {
        n: special.get(n) or (n[:-1] + "1" if "downsample" in n else re.sub(r"conv(\d)$", r"bn\1", n))
        for n in convolutions(model)
    }


def preactresnet(model: nn.Module) -> Pairs:
    """Only the first of a block: its second and its shortcut end in a sum, as does the stem."""
    return {n: n.replace("conv1", "bn2") if re.search(r"layer\d\.\d\.conv1$", n) else None for n in convolutions(model)}


def vgg_bn(model: nn.Module) -> Pairs:
    return {n: f"net.features.{int(n.rpartition('.')[2]) + 1}" for n in convolutions(model)}


def unpaired(model: nn.Module) -> Pairs:
    return dict.fromkeys(convolutions(model))


def densenet(model: nn.Module) -> Pairs:
    """The stem, and the first of each layer: what the second writes is normalized by every later layer."""
    return {
        n: "net.features.norm0" if n.endswith("conv0") else n[:-5] + "norm2" if n.endswith(".conv1") else None
        for n in convolutions(model)
    }


def following(model: nn.Module) -> Pairs:
    """Sequential(convolution, norm, activation) throughout, apart from squeeze and excitation."""
    pairs: Pairs = {}
    for n in convolutions(model):
        parent, _, at = n.rpartition(".")
        if not re.search(r"fc[12]$", n):
            pairs[n] = f"{parent}.{int(at) + 1}"
    return pairs


def inception(model: nn.Module) -> Pairs:
    return {n: n.removesuffix("conv") + "bn" for n in convolutions(model)}


def cnn(model: nn.Module) -> Pairs:
    return {n: n.replace("conv", "norm") for n in convolutions(model)}


def vit(model: nn.Module) -> Pairs:
    return {n: None for n, m in model.named_modules() if re.search(r"mlp\.0$", n)}


TRUTH: list[tuple[str, Callable[[nn.Module], Pairs], int]] = [
    ("cnn", cnn, 3),
    ("resnet18", resnet, 20),
    ("resnet50", resnet, 53),
    ("preactresnet18", preactresnet, 20),
    ("vgg11_bn", vgg_bn, 8),
    ("vgg16", unpaired, 13),
    ("densenet121", densenet, 120),
    ("mobilenet_v2", following, 52),
    ("mobilenet_v3_large", following, 46),
    ("efficientnet_b0", following, 49),
    ("shufflenet_v2_x1_0", following, 56),
    ("googlenet", inception, 57),
    ("inception_v3", inception, 94),
    ("alexnet", unpaired, 5),
    ("vit_tiny", vit, 2),
]


@pytest.mark.parametrize(("name", "truth", "number"), TRUTH, ids=[t[0] for t in TRUTH])
def test_layers_and_norms_are_those_of_the_architecture(
    name: str, truth: Callable[[nn.Module], Pairs], number: int
) -> None:
    model, layers = made(name)
    assert {layer.module: layer.norm for layer in layers} == truth(model)
    assert len(layers) == number
    for layer in layers:
        assert model.get_parameter(f"{layer.module}.weight").shape[0] == layer.units
        if layer.norm is not None:
            assert model.get_parameter(f"{layer.norm}.weight").shape == (layer.units,)


def silence(model: nn.Module, name: str, unit: int) -> None:
    for slot, parameter in model.get_submodule(name).named_parameters():
        assert slot in ("weight", "bias")
        parameter.data[unit] = 0


@pytest.mark.parametrize(
    "name", ["cnn", "resnet18", "preactresnet18", "vgg11_bn", "densenet121", "mobilenet_v2", "mobilenet_v3_large"]
)
def test_a_silent_norm_is_a_silent_unit(name: str) -> None:
    model, layers = made(name, 16)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.bias, std=0.3)
        norm.momentum = 1.0
    x = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        model(x)
        before = model.eval()(x)
        changed = 0
        for layer in layers:
            if layer.norm is None:
                continue
            masked = copy.deepcopy(model)
            silence(masked, layer.norm, layer.units // 2)
            expected = masked(x)
            silence(masked, layer.module, layer.units // 2)
            torch.testing.assert_close(masked(x), expected)
            changed += not torch.equal(before, expected)
    assert changed >= 0.8 * sum(layer.norm is not None for layer in layers)


def test_a_silent_unit_of_an_mlp_is_one_that_nothing_reads() -> None:
    model, layers = made("vit_tiny")
    for p in model.parameters():
        nn.init.normal_(p, std=0.1)
    model.eval()
    x = torch.rand(2, 3, 32, 32)
    for layer in layers:
        silent, unread = copy.deepcopy(model), copy.deepcopy(model)
        silence(silent, layer.module, 3)
        unread.get_parameter(f"{layer.module[:-1]}3.weight").data[:, 3] = 0
        with torch.no_grad():
            torch.testing.assert_close(silent(x), unread(x))
            assert not torch.allclose(silent(x), model(x))
