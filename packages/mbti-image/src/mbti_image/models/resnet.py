"""ResNets of torchvision, with a stem that fits small pictures."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.normalize import Channels, Normalize

_SMALL = 64


def resnet18(
    info: ModelInfo,
    *,
    mean: Channels = (0.4914, 0.4822, 0.4465),
    std: Channels = (0.247, 0.243, 0.261),
) -> nn.Module:
    """An 18-layer ResNet; pictures of at most 64 pixels get a 3 x 3 stem of stride 1 and no pooling after it.

    Source: He et al. 2016, section 4.2: the stem for CIFAR-10; the layers are torchvision's.
    Deviates: four stages as for ImageNet, as the backdoor literature uses it on CIFAR-10.

    Args:
        info: What the model is; ``num_classes`` sets the width of the logits, ``input`` the stem.
        mean: Of each channel of the data, on the [0, 1] scale; CIFAR-10's unless said.
        std: Of each channel of the data, on the [0, 1] scale; CIFAR-10's unless said.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net = models.resnet18(num_classes=info.num_classes)
    if max(side or 0 for side in info.input.shape[1:]) <= _SMALL:
        net.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.maxpool = nn.Identity()
    return nn.Sequential(OrderedDict(normalize=Normalize(mean, std), net=net))
