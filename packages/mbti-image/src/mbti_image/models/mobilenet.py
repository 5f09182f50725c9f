"""MobileNets of torchvision, which shrink small pictures less."""

from __future__ import annotations

from pydantic import PositiveFloat
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, full_size, image_model, small
from mbti_image.models.pretrained import Published


@image_model(Published("mobilenet_v2"))
def mobilenet_v2(info: ModelInfo, *, stem: Stem = "auto", width: PositiveFloat = 1.0) -> nn.Module:
    """A MobileNetV2; small pictures are shrunk 8 times in all and not 32 times.

    Source: Sandler et al. 2018, table 2; the layers are torchvision's.
    Deviates: for small pictures the first convolution and the first block of 24 channels have stride 1, or 32 pixels
    would end as a single one.

    Args:
        info: What the model is.
        stem: ``small`` or ``imagenet``; ``auto`` chooses by the size of the picture.
        width: Multiplier of all channels, rounded to multiples of 8; the last layer has 1,280 at least.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.mobilenet_v2(num_classes=info.num_classes, width_mult=width)
    if small(info, stem):
        full_size(net, "features.0.0", "features.2.conv.1.0")
    return net


@image_model(Published("mobilenet_v3_large"))
def mobilenet_v3_large(info: ModelInfo, *, stem: Stem = "auto", width: PositiveFloat = 1.0) -> nn.Module:
    """A large MobileNetV3; small pictures are shrunk 8 times in all and not 32 times.

    Source: Howard et al. 2019, table 1; the layers are torchvision's.
    Deviates: as ``mobilenet_v2``.

    Args:
        info: What the model is.
        stem: ``small`` or ``imagenet``; ``auto`` chooses by the size of the picture.
        width: Multiplier of all channels, rounded to multiples of 8.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.mobilenet_v3_large(num_classes=info.num_classes, width_mult=width)
    if small(info, stem):
        full_size(net, "features.0.0", "features.2.block.1.0")
    return net
