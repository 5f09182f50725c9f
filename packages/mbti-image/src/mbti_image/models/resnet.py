"""ResNets of torchvision, with a stem that fits small pictures."""

from __future__ import annotations

from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, full_size, image_model, small
from mbti_image.models.pretrained import Published


def _resnet(name: str, info: ModelInfo, stem: Stem) -> nn.Module:
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.get_model(name, num_classes=info.num_classes)
    if small(info, stem):
        first = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
        net.set_submodule("conv1", first)
        full_size(net, "maxpool")
    return net


@image_model(Published("resnet18"))
def resnet18(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """An 18-layer ResNet; small pictures get a 3 x 3 stem of stride 1 and no pooling after it.

    Source: He et al. 2016, section 4.2: the stem for CIFAR-10; the layers are torchvision's.
    Deviates: four stages as for ImageNet, as the backdoor literature uses it on CIFAR-10.

    Args:
        info: What the model is; ``num_classes`` sets the width of the logits, ``input`` the stem.
        stem: ``small``; ``imagenet`` (7 x 7, stride 2, pooling); ``auto`` chooses by the size of the picture.
    """
    return _resnet("resnet18", info, stem)


@image_model(Published("resnet34"))
def resnet34(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """A 34-layer ResNet with the stems of ``resnet18``.

    Args:
        info: What the model is.
        stem: As for ``resnet18``.
    """
    return _resnet("resnet34", info, stem)


@image_model(Published("resnet50"))
def resnet50(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """A 50-layer ResNet of bottleneck blocks with the stems of ``resnet18``.

    Args:
        info: What the model is.
        stem: As for ``resnet18``.
    """
    return _resnet("resnet50", info, stem)
