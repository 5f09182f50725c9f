"""Every image model: shapes, gradients, batch independence, layouts, seeds, sizes, and how many weights it has."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo
from mbti_core.data.rng import scoped_globals
from mbti_core.engine.config import settings_class
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import Registry
from mbti_image.contents.models import MODELS
from mbti_image.models.build import Resize
from mbti_image.models.normalize import Normalize

Factory = Callable[..., nn.Module]
NAMES = [c.name for c in MODELS if c.name != "timm"]
HEAVY = {("densenet161", 64), ("resnet50", 64), ("vit_b_16", 64)}

# Sums of torchvision's layers with ten classes; they need no stem for small pictures to be counted.
COUNTS = {
    "resnet18": 11_181_642,
    "resnet34": 21_289_802,
    "resnet50": 23_528_522,
    "alexnet": 57_044_810,
    "vgg11": 128_807_306,
    "vgg16": 134_301_514,
    "vgg19": 139_611_210,
    "densenet121": 6_964_106,
    "densenet161": 26_494_090,
    "mobilenet_v2": 2_236_682,
    "shufflenet_v2_x1_0": 1_263_854,
    "efficientnet_b0": 4_020_358,
    "vit_b_16": 85_806_346,
}
WITH_AUXILIARY = {"googlenet": 9_960_638, "inception_v3": 24_371_444}
# The shortest side that each stem takes, found by trying.
LEAST = {
    ("densenet121", "small"): 8,
    ("densenet121", "imagenet"): 29,
    ("inception_v3", "small"): 15,
    ("inception_v3", "imagenet"): 75,
    ("alexnet", "small"): 15,
    ("alexnet", "imagenet"): 63,
    ("vgg11", "imagenet"): 32,
}
NARROW: dict[str, dict[str, Any]] = {"vgg11": {"width": 8}, "vgg11_bn": {"width": 8}, "densenet121": {"growth": 8}}
FEATURES = {
    "cnn": ("fc", 256),
    "fast": ("head", 256),
    "resnet18": ("net.fc", 512),
    "resnet34": ("net.fc", 512),
    "resnet50": ("net.fc", 2048),
    "preactresnet18": ("net.linear", 512),
    **dict.fromkeys(("vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"), ("net.classifier", 512)),
    "densenet121": ("net.classifier", 1024),
    "densenet161": ("net.classifier", 2208),
    "mobilenet_v2": ("net.classifier.1", 1280),
    "mobilenet_v3_large": ("net.classifier.3", 1280),
    "efficientnet_b0": ("net.classifier.1", 1280),
    "efficientnet_b3": ("net.classifier.1", 1536),
    "shufflenet_v2_x1_0": ("net.fc", 1024),
    "googlenet": ("net.fc", 1024),
    "inception_v3": ("net.fc", 2048),
    "alexnet": ("net.classifier", 256),
    "vit_b_16": ("net.heads.head", 768),
    "vit_tiny": ("net.heads.head", 192),
}


@cache
def factory(name: str) -> Any:
    return Registry().find("model", name, "image").load()


def info(name: str, height: int, classes: int = 7, width: int | None = None) -> ModelInfo:
    shape = (3, height, height if width is None else width)
    return ModelInfo(f"image/{name}", "image", InputSpec(shape, "uint8", 0, 255), classes)


def build(name: str, side: int, classes: int = 7, **settings: Any) -> nn.Module:
    model: nn.Module = factory(name)(info(name, side, classes), **settings)
    return model


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def drawn(model: nn.Module) -> nn.Module:
    """Draw the weights that start at zero: the head of a transformer does."""
    for p in model.parameters():
        if not bool(p.any()):
            nn.init.normal_(p, std=0.1)
    return model.eval()


def awake(model: nn.Module) -> nn.Module:
    """Fill running statistics too, or all rows of an untrained net have nearly the same logits."""
    drawn(model)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with torch.no_grad():
            model.train()(torch.rand(8, 3, 32, 32))
    return model.eval()


SIZES = [
    pytest.param(name, side, marks=[pytest.mark.slow] if (name, side) in HEAVY else [], id=f"{name}-{side}")
    for name in NAMES
    for side in (32, 64)
]


@pytest.mark.parametrize(("name", "side"), SIZES)
def test_a_model_learns_from_small_pictures(name: str, side: int) -> None:
    model = build(name, side)
    x = torch.rand(2, 3, side, side, requires_grad=True)
    logits = model(x)
    assert logits.shape == (2, 7)
    (logits.square().sum() + logits.sum()).backward()
    assert x.grad is not None
    for parameter in model.parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_rows_and_layouts_do_not_matter(name: str) -> None:
    model = awake(build(name, 32))
    x = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        whole = model(x)
        torch.testing.assert_close(model(x[1:2]), whole[1:2], rtol=1e-3, atol=1e-4)
        assert not torch.allclose(whole[0], whole[1], rtol=1e-3, atol=1e-5)
        last = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        got = last(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(got, whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_building_a_model_is_seeded(name: str) -> None:
    states = []
    for seed in (0, 0, 1):
        with scoped_globals(seed):
            states.append(build(name, 32).state_dict())
    first, same, other = states
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_what_the_classifier_reads(name: str) -> None:
    what, adapters = info(name, 32), Registry().adapters
    model = drawn(factory(name)(what))
    module, width = FEATURES[name]
    assert adapters.feature_layer(model, what) == FeatureTap(module)
    assert list(adapters.head(model, what)) == [module]
    head = model.get_submodule(module)
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (width, 7)
    seen: list[torch.Tensor] = []
    head.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        logits = model(torch.rand(2, 3, 32, 32))
        expected = head(seen[0].flatten(1))
    assert seen[0].shape == (2, width)
    scale = logits / expected
    torch.testing.assert_close(scale, scale.flatten()[0].expand_as(scale), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("cnn", "fast")])
def test_normalization_comes_first(name: str) -> None:
    first, *_, net = build(name, 32, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), resize=48).children()
    assert isinstance(first, Normalize)
    x = torch.rand(2, 3, 4, 4)
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.4, 0.5, 0.6])
    torch.testing.assert_close(first(x), (x - mean[:, None, None]) / std[:, None, None])
    assert not any(isinstance(m, Normalize | Resize) for m in net.modules())


@pytest.mark.parametrize("name", COUNTS)
def test_torchvisions_layers_are_all_there(name: str) -> None:
    with torch.device("meta"):
        assert count(build(name, 224, 10)) == COUNTS[name]


@pytest.mark.parametrize("name", WITH_AUXILIARY)
def test_only_the_auxiliary_heads_are_left_out(name: str) -> None:
    from torchvision import models

    with torch.device("meta"):
        ours = {n for n, _ in build(name, 299, 10).get_submodule("net").named_parameters()}
        whole = models.get_model(name, num_classes=10, aux_logits=True, init_weights=True)
    assert count(whole) == WITH_AUXILIARY[name]
    assert {n for n, _ in whole.named_parameters() if not n.startswith(("aux1.", "aux2.", "AuxLogits."))} == ours


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("resnet18", -3 * 64 * (49 - 9)),
        ("resnet50", -3 * 64 * (49 - 9)),
        ("densenet121", -3 * 64 * (49 - 9)),
        ("densenet161", -3 * 96 * (49 - 9)),
        ("mobilenet_v2", 0),
        ("efficientnet_b0", 0),
        ("shufflenet_v2_x1_0", 0),
        ("vgg16", -(25088 * 4096 + 4096) - (4096 * 4096 + 4096) - (4096 - 512) * 10),
        ("alexnet", -(9216 * 4096 + 4096) - (4096 * 4096 + 4096) - (4096 - 256) * 10 - 3 * 64 * (121 - 25)),
        ("vit_b_16", -(196 - 4) * 768),
    ],
)
def test_a_stem_for_small_pictures_changes_nothing_else(name: str, change: int) -> None:
    with torch.device("meta"):
        assert count(build(name, 32, 10)) == COUNTS[name] + change


def test_the_pre_activation_net_is_that_of_the_literature() -> None:
    assert count(build("preactresnet18", 32, 10)) == 11_171_146
    assert count(build("preactresnet18", 32, 10, width=16)) < 11_171_146 / 15


@pytest.mark.parametrize(
    ("name", "settings", "narrow"),
    [
        ("vgg16_bn", {"width": 8}, 240_000),
        ("densenet121", {"growth": 8}, 460_000),
        ("mobilenet_v2", {"width": 0.25}, 260_000),
        ("mobilenet_v3_large", {"width": 0.25}, 420_000),
        ("vit_tiny", {"width": 48, "depth": 2, "heads": 4}, 70_000),
    ],
)
def test_narrow_models_are_small_and_work(name: str, settings: dict[str, Any], narrow: int) -> None:
    model = build(name, 32, **settings)
    assert count(model) < narrow
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        ("resnet18", "net.layer4", {"small": 4, "imagenet": 1}),
        ("densenet121", "net.features.norm5", {"small": 4, "imagenet": 1}),
        ("mobilenet_v2", "net.features", {"small": 4, "imagenet": 1}),
        ("mobilenet_v3_large", "net.features", {"small": 4, "imagenet": 1}),
        ("efficientnet_b0", "net.features", {"small": 4, "imagenet": 1}),
        ("shufflenet_v2_x1_0", "net.conv5", {"small": 4, "imagenet": 1}),
        ("googlenet", "net.inception5b", {"small": 4, "imagenet": 1}),
        ("inception_v3", "net.Mixed_7c", {"small": 3}),
        ("alexnet", "net.features", {"small": 3}),
        ("vgg11_bn", "net.features", {"small": 1, "imagenet": 1}),
    ],
)
def test_how_much_of_32_pixels_is_left(name: str, layer: str, expected: dict[str, int]) -> None:
    for stem, side in expected.items():
        model = build(name, 32, stem=stem, **NARROW.get(name, {})).eval()
        seen: list[torch.Size] = []
        model.get_submodule(layer).register_forward_hook(lambda m, i, o, seen=seen: seen.append(o.shape))
        with torch.no_grad():
            model(torch.rand(1, 3, 32, 32))
        assert tuple(seen[0][2:]) == (side, side)


@pytest.mark.parametrize(("name", "stem"), LEAST)
def test_a_picture_that_is_too_small_is_refused(name: str, stem: str) -> None:
    side = LEAST[name, stem]
    model = build(name, side, stem=stem, **NARROW.get(name, {})).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, side, side)).shape == (1, 7)
        with pytest.raises(RuntimeError):
            model(torch.rand(1, 3, side - 1, side - 1))
    with pytest.raises(ConfigError, match=rf"at least {side} x {side} pixels, got {side - 1} x {side + 9}"):
        factory(name)(info(name, side - 1, width=side + 9), stem=stem, **NARROW.get(name, {}))


@pytest.mark.parametrize("name", ["resnet18", "preactresnet18", "vgg11", "vgg16_bn", "mobilenet_v2", "googlenet"])
def test_other_sizes_are_taken(name: str) -> None:
    for height, width in ((16, 16), (28, 28), (20, 40)):
        model = factory(name)(info(name, height, width=width))
        assert model(torch.rand(2, 3, height, width)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "height", "width", "patch"),
    [("vit_b_16", 40, 40, 16), ("vit_b_16", 32, 48, 16), ("vit_tiny", 30, 30, 4), ("vit_tiny", 32, 36, 4)],
)
def test_a_transformer_names_the_sizes_that_it_takes(name: str, height: int, width: int, patch: int) -> None:
    with pytest.raises(ConfigError, match=f"multiple of {patch} pixels, got {height} x {width}") as caught:
        factory(name)(info(name, height, width=width))
    assert "model.resize" in caught.value.hint
    assert factory(name)(info(name, height, width=width), resize=2 * patch) is not None


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of the 3 heads, got 64") as caught:
        build("vit_tiny", 32, width=64)
    assert caught.value.hint == "Set it to 63."


def test_resizing_is_bilinear_and_differentiable() -> None:
    x = torch.rand(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    grown = Resize(16)(x)
    # Pixel 2 of 16 lies at (2 + 0.5) / 2 - 0.5 = 0.75 of 8.
    torch.testing.assert_close(grown[0, 0, 2, 2], by_hand(x[0, 0], 0.75))
    grown.sum().backward()
    assert x.grad is not None
    assert float(x.grad.sum()) == pytest.approx(3 * 256)


def by_hand(x: torch.Tensor, at: float) -> torch.Tensor:
    low, share = int(at), at % 1
    line = (1 - share) * x[low] + share * x[low + 1]
    return (1 - share) * line[low] + share * line[low + 1]


def test_resized_pictures_get_the_net_of_their_new_size() -> None:
    with torch.device("meta"):
        assert count(build("resnet18", 32, 10, resize=224)) == COUNTS["resnet18"]
        assert count(build("vit_b_16", 32, 10, resize=224)) == COUNTS["vit_b_16"]
    model = build("vit_tiny", 30, resize=16, depth=1)
    x = torch.rand(2, 3, 30, 30, requires_grad=True)
    drawn(model)(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_validated(name: str) -> None:
    settings = settings_class(Registry().find("model", name, "image"))
    assert settings().model_dump(mode="json") == settings.model_validate_json(settings().model_dump_json()).model_dump(
        mode="json"
    )


def test_a_model_can_be_copied() -> None:
    model = build("shufflenet_v2_x1_0", 32).eval()
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(copy.deepcopy(model)(x), model(x))


needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="the extra timm is not installed")


@needs_timm
def test_timm_builds_by_name() -> None:
    model = build("timm", 32, arch="resnet10t")
    x = torch.rand(2, 3, 32, 32, requires_grad=True)
    logits = model(x)
    logits.sum().backward()
    assert logits.shape == (2, 7)
    assert model.training
    tap = Registry().adapters.feature_layer(model, info("timm", 32))
    assert tap.module == "net.fc"


@needs_timm
def test_timm_says_what_it_cannot_build() -> None:
    with pytest.raises(ConfigError, match="timm knows no architecture 'resnet18dd'") as caught:
        build("timm", 32, arch="resnet18dd")
    assert "resnet18d" in caught.value.hint
    with pytest.raises(ConfigError, match="takes pictures of 224 x 224 pixels, not of 32 x 32") as caught:
        build("timm", 32, arch="vit_tiny_patch16_224")
    assert caught.value.hint == "Set model.resize to 224."
