"""GoogLeNet and Inception-v3 of torchvision, without auxiliary heads, with stems that fit small pictures."""

from __future__ import annotations

from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import HALVES, Stem, at_least, full_size, image_model, small
from mbti_image.models.pretrained import Published

_UNPADDED = ("Conv2d_1a_3x3.conv", "Conv2d_2a_3x3.conv", "Conv2d_4a_3x3.conv")


@image_model(Published("googlenet", left_out=("aux1.", "aux2.")), HALVES)
def googlenet(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """A GoogLeNet with BatchNorm; small pictures get a 3 x 3 stem of stride 1 and no pooling after it.

    Source: Szegedy et al. 2015, table 1; the layers are torchvision's.
    Deviates: BatchNorm after each convolution and a 3 x 3 one in place of the 5 x 5, as in torchvision. No auxiliary
    heads: a defense that trains a model knows of one output, and BatchNorm does what they were for.

    Args:
        info: What the model is.
        stem: ``small`` or ``imagenet``; ``auto`` chooses by the size of the picture.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.googlenet(num_classes=info.num_classes, aux_logits=False, init_weights=True)
    if small(info, stem):
        first = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.trunc_normal_(first.weight, mean=0.0, std=0.01, a=-2, b=2)
        net.set_submodule("conv1.conv", first)
        full_size(net, "maxpool1")
    return net


@image_model(Published("inception_v3", left_out=("AuxLogits.",)), HALVES)
def inception_v3(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """An Inception-v3; the stem for small pictures has stride 1, padding, and one pooling in place of two.

    Source: Szegedy et al. 2016, table 1; the layers are torchvision's.
    Deviates: no auxiliary head, for the reasons of ``googlenet``. With the stem for small pictures 32 pixels enter the
    three kinds of blocks as 15, 7 and 3; of 299 pixels it would be 35, 17 and 8.

    Args:
        info: What the model is.
        stem: ``small`` (pictures of at least 15 pixels); ``imagenet`` (at least 75); ``auto`` chooses by the
            size of the picture.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.inception_v3(num_classes=info.num_classes, aux_logits=False, init_weights=True)
    if not small(info, stem):
        at_least(info, 75)
        return net
    at_least(info, 15)
    full_size(net, "Conv2d_1a_3x3.conv", "maxpool1")
    for name in _UNPADDED:
        layer = net.get_submodule(name)
        assert isinstance(layer, nn.Conv2d)
        layer.padding = (1, 1)
    return net
