"""EfficientNets of torchvision, which shrink small pictures less."""

from __future__ import annotations

from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, full_size, image_model, small
from mbti_image.models.pretrained import Published


def _efficientnet(name: str, info: ModelInfo, stem: Stem) -> nn.Module:
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.get_model(name, num_classes=info.num_classes)
    if small(info, stem):
        full_size(net, "features.0.0", "features.2.0.block.1.0")
    return net


@image_model(Published("efficientnet_b0"))
def efficientnet_b0(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """An EfficientNet-B0; small pictures are shrunk 8 times in all and not 32 times.

    Source: Tan and Le 2019, table 1; the layers are torchvision's, with its dropout and stochastic depth.
    Deviates: for small pictures the first convolution and the first block of 24 channels have stride 1, or 32 pixels
    would end as a single one.

    Args:
        info: What the model is.
        stem: ``small`` or ``imagenet``; ``auto`` chooses by the size of the picture.
    """
    return _efficientnet("efficientnet_b0", info, stem)


@image_model(Published("efficientnet_b3"))
def efficientnet_b3(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """An EfficientNet-B3 (wider by 1.2, deeper by 1.4), else as ``efficientnet_b0``.

    Args:
        info: What the model is.
        stem: As for ``efficientnet_b0``.
    """
    return _efficientnet("efficientnet_b3", info, stem)
