"""VGGs of torchvision, with and without BatchNorm, with a classifier that fits small pictures."""

from __future__ import annotations

from collections import OrderedDict

from pydantic import PositiveInt
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, at_least, image_model, sides, small
from mbti_image.models.pretrained import Published

_WIDTH = 64
_LETTER = {"vgg11": "A", "vgg16": "D", "vgg19": "E"}


def _vgg(name: str, info: ModelInfo, stem: Stem, width: int) -> nn.Module:
    from torchvision.models import vgg  # noqa: PLC0415 - seconds; a finished run builds no model

    depth, _, norm = name.partition("_")
    plan = [v if v == "M" else int(v) * width // _WIDTH for v in vgg.cfgs[_LETTER[depth]]]
    features: nn.Sequential = vgg.make_layers(plan, batch_norm=bool(norm))
    last = next(v for v in reversed(plan) if v != "M")
    if small(info, stem):
        _leave_out_pools(features, min(sides(info)))
        head: dict[str, nn.Module] = {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        head["classifier"] = nn.Linear(last, info.num_classes)
    else:
        at_least(info, 32)
        head = {"avgpool": nn.AdaptiveAvgPool2d(7), "flatten": nn.Flatten()}
        head["classifier"] = _classifier(last * 49, info.num_classes)
    net = nn.Sequential(OrderedDict(features=features, **head))
    _initialize(net)
    return net


def _classifier(features: int, classes: int) -> nn.Module:
    hidden: list[nn.Module] = []
    for before in (features, 4096):
        hidden += [nn.Linear(before, 4096), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return nn.Sequential(*hidden, nn.Linear(4096, classes))


def _leave_out_pools(features: nn.Sequential, side: int) -> None:
    """Leave out the pools that would get a single pixel."""
    for at, layer in enumerate(features):
        if isinstance(layer, nn.MaxPool2d):
            if side < 2:
                features[at] = nn.Identity()
            side //= 2


def _initialize(net: nn.Module) -> None:
    """Draw the weights as torchvision's VGG does."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


@image_model(Published("vgg11"))
def vgg11(info: ModelInfo, *, stem: Stem = "auto", width: PositiveInt = _WIDTH) -> nn.Module:
    """An 11-layer VGG without normalization; for small pictures the classifier is one layer after average pooling.

    Small pictures lose neither resolution nor parameters to what a 224-pixel VGG ends with: pooling to 7 x 7 and two
    hidden layers of 4,096. Pools that would get a single pixel are left out. Every width from 1 works.

    Source: Simonyan and Zisserman 2015, configuration A; layers and initial weights are torchvision's.
    Deviates: the classifier for small pictures, as CIFAR implementations have it.

    Args:
        info: What the model is.
        stem: ``small`` or ``imagenet`` (pictures of at least 32 pixels); ``auto`` chooses by the size of the picture.
        width: Channels of the first layer; the others keep their ratio to it.
    """
    return _vgg("vgg11", info, stem, width)


@image_model(Published("vgg11_bn"))
def vgg11_bn(info: ModelInfo, *, stem: Stem = "auto", width: PositiveInt = _WIDTH) -> nn.Module:
    """An 11-layer VGG with BatchNorm, else as ``vgg11``.

    Args:
        info: What the model is.
        stem: As for ``vgg11``.
        width: As for ``vgg11``.
    """
    return _vgg("vgg11_bn", info, stem, width)


@image_model(Published("vgg16"))
def vgg16(info: ModelInfo, *, stem: Stem = "auto", width: PositiveInt = _WIDTH) -> nn.Module:
    """A 16-layer VGG without normalization (configuration D), else as ``vgg11``.

    Args:
        info: What the model is.
        stem: As for ``vgg11``.
        width: As for ``vgg11``.
    """
    return _vgg("vgg16", info, stem, width)


@image_model(Published("vgg16_bn"))
def vgg16_bn(info: ModelInfo, *, stem: Stem = "auto", width: PositiveInt = _WIDTH) -> nn.Module:
    """A 16-layer VGG with BatchNorm, else as ``vgg11``.

    Args:
        info: What the model is.
        stem: As for ``vgg11``.
        width: As for ``vgg11``.
    """
    return _vgg("vgg16_bn", info, stem, width)


@image_model(Published("vgg19"))
def vgg19(info: ModelInfo, *, stem: Stem = "auto", width: PositiveInt = _WIDTH) -> nn.Module:
    """A 19-layer VGG without normalization (configuration E), else as ``vgg11``.

    Args:
        info: What the model is.
        stem: As for ``vgg11``.
        width: As for ``vgg11``.
    """
    return _vgg("vgg19", info, stem, width)


@image_model(Published("vgg19_bn"))
def vgg19_bn(info: ModelInfo, *, stem: Stem = "auto", width: PositiveInt = _WIDTH) -> nn.Module:
    """A 19-layer VGG with BatchNorm, else as ``vgg11``.

    Args:
        info: What the model is.
        stem: As for ``vgg11``.
        width: As for ``vgg11``.
    """
    return _vgg("vgg19_bn", info, stem, width)
