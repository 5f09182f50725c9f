from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch import nn

from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.rng import scoped_globals
from mbti_core.plugins.manager import Registry
from mbti_image.models.cnn import cnn
from mbti_image.models.normalize import Normalize
from mbti_image.models.resnet import resnet18

Factory = Callable[[ModelInfo], nn.Module]
MODELS = [("image/cnn", cnn, 16), ("image/cnn", cnn, 32), ("image/resnet18", resnet18, 32)]
each = pytest.mark.parametrize(("arch", "factory", "side"), MODELS, ids=["cnn-16", "cnn-32", "resnet18"])


def info(arch: str, side: int, classes: int = 7) -> ModelInfo:
    return ModelInfo(arch, "image", InputSpec((3, side, side), "uint8", 0, 255), classes)


@each
def test_logits_gradients_and_eval_mode(arch: str, factory: Factory, side: int) -> None:
    model = factory(info(arch, side))
    x = torch.rand(4, 3, side, side, requires_grad=True)
    logits = model(x)
    assert logits.shape == (4, 7)
    logits.square().sum().backward()
    assert x.grad is not None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    with torch.no_grad():
        assert torch.equal(model(x), model(x))


@each
def test_weights_go_through_safetensors(arch: str, factory: Factory, side: int, tmp_path: Path) -> None:
    model, other = factory(info(arch, side)).eval(), factory(info(arch, side)).eval()
    save_model(model, str(tmp_path / "weights.safetensors"))
    load_model(other, str(tmp_path / "weights.safetensors"))
    x = torch.rand(2, 3, side, side)
    with torch.no_grad():
        assert torch.equal(model(x), other(x))
    copy.deepcopy(model)


@each
def test_the_structural_adapters_fit(arch: str, factory: Factory, side: int) -> None:
    model, what = factory(info(arch, side)), info(arch, side)
    adapters = Registry().adapters
    tap = adapters.feature_layer(model, what)
    head = model.get_submodule(tap.module)
    assert isinstance(head, nn.Linear)
    assert head.out_features == 7
    layers = adapters.prunable_layers(model, what)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == len(convolutions)
    for layer in layers:
        assert layer.norm is not None
        assert model.get_submodule(layer.norm).weight.shape == (layer.units,)
        assert model.get_submodule(layer.module).weight.shape[layer.axis] == layer.units


def test_normalization_by_hand() -> None:
    x = torch.rand(2, 3, 4, 4)
    got = Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261))(x)
    for channel, (mean, std) in enumerate([(0.4914, 0.247), (0.4822, 0.243), (0.4465, 0.261)]):
        torch.testing.assert_close(got[:, channel], (x[:, channel] - mean) / std)


@each
def test_normalization_comes_first(arch: str, factory: Factory, side: int) -> None:
    assert isinstance(next(iter(factory(info(arch, side)).children())), Normalize)


def test_the_stem_follows_the_size() -> None:
    small, large = resnet18(info("image/resnet18", 32, 10)), resnet18(info("image/resnet18", 224, 10))
    shapes = []
    for model, side in ((small, 32), (large, 224)):
        seen: list[torch.Size] = []
        model.get_submodule("net.layer1").register_forward_hook(lambda m, i, o, seen=seen: seen.append(o.shape))
        model.eval()
        with torch.no_grad():
            model(torch.rand(1, 3, side, side))
        shapes.append(tuple(seen[0][2:]))
    assert shapes == [(32, 32), (56, 56)]
    # 11,181,642 parameters with the 7 x 7 stem: 3 * 64 * (49 - 9) fewer with the 3 x 3 one
    assert sum(p.numel() for p in large.parameters()) == 11_181_642
    assert sum(p.numel() for p in small.parameters()) == 11_181_642 - 3 * 64 * 40


def test_building_a_model_is_seeded() -> None:
    with scoped_globals(0):
        first = resnet18(info("image/resnet18", 32)).state_dict()
    with scoped_globals(0):
        second = resnet18(info("image/resnet18", 32)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
