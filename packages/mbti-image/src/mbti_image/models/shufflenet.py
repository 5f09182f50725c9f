"""The ShuffleNetV2 of torchvision, which shrinks small pictures less."""

from __future__ import annotations

from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, full_size, image_model, small
from mbti_image.models.pretrained import Published


@image_model(Published("shufflenet_v2_x1_0"))
def shufflenet_v2_x1_0(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """A ShuffleNetV2 of width 1; small pictures are shrunk 8 times in all and not 32 times.

    Source: Ma et al. 2018, table 5; the layers are torchvision's.
    Deviates: for small pictures the first convolution has stride 1, and no pooling follows it.

    Args:
        info: What the model is.
        stem: ``small`` or ``imagenet``; ``auto`` chooses by the size of the picture.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.shufflenet_v2_x1_0(num_classes=info.num_classes)
    if small(info, stem):
        full_size(net, "conv1.0", "maxpool")
    return net
