"""DenseNets of torchvision, with a stem that fits small pictures."""

from __future__ import annotations

from pydantic import PositiveInt
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, at_least, full_size, image_model, small
from mbti_image.models.pretrained import Published

# torchvision's files are older than its names: there is "norm.1" in them where the network has "norm1".
_OLDER_NAMES = (r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2")


def _densenet(info: ModelInfo, stem: Stem, growth: int, blocks: tuple[int, int, int, int]) -> nn.Module:
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.DenseNet(growth, blocks, 2 * growth, num_classes=info.num_classes)
    if small(info, stem):
        at_least(info, 8)
        first = nn.Conv2d(3, 2 * growth, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(first.weight)
        net.set_submodule("features.conv0", first)
        full_size(net, "features.pool0")
    else:
        at_least(info, 29)
    return net


@image_model(Published("densenet121", renamed=_OLDER_NAMES))
def densenet121(info: ModelInfo, *, stem: Stem = "auto", growth: PositiveInt = 32) -> nn.Module:
    """A 121-layer DenseNet; small pictures get a 3 x 3 stem of stride 1 and no pooling after it.

    Source: Huang et al. 2017, table 1, and section 4.2: the stem for CIFAR-10; the layers are torchvision's.
    Deviates: four blocks as for ImageNet, as the backdoor literature uses it on CIFAR-10.

    Args:
        info: What the model is.
        stem: ``small`` (pictures of at least 8 pixels); ``imagenet`` (7 x 7, stride 2, pooling; at least 29 pixels);
            ``auto`` chooses by the size of the picture.
        growth: Channels that each layer adds; the stem has twice as many.
    """
    return _densenet(info, stem, growth, (6, 12, 24, 16))


@image_model(Published("densenet161", renamed=_OLDER_NAMES))
def densenet161(info: ModelInfo, *, stem: Stem = "auto", growth: PositiveInt = 48) -> nn.Module:
    """A 161-layer DenseNet with the stems of ``densenet121``.

    Args:
        info: What the model is.
        stem: As for ``densenet121``.
        growth: As for ``densenet121``.
    """
    return _densenet(info, stem, growth, (6, 12, 36, 24))
