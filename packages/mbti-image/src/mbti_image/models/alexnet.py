"""The AlexNet of torchvision, with a stem and a classifier that fit small pictures."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import Stem, at_least, image_model, small
from mbti_image.models.pretrained import Published


@image_model(Published("alexnet"))
def alexnet(info: ModelInfo, *, stem: Stem = "auto") -> nn.Module:
    """An AlexNet; small pictures get a 5 x 5 first layer of stride 1, and a classifier of one layer.

    Source: Krizhevsky 2014, one column; the layers are torchvision's.
    Deviates: for small pictures the first layer, 11 x 11 with stride 4, would leave 7 of 32 pixels; and the classifier,
    two hidden layers of 4,096 on 6 x 6 pixels, would hold 95 % of the parameters. Averaging and one layer stand for it.

    Args:
        info: What the model is.
        stem: ``small`` (pictures of at least 15 pixels); ``imagenet`` (at least 63); ``auto`` chooses by the
            size of the picture.
    """
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    net: nn.Module = models.alexnet(num_classes=info.num_classes)
    if not small(info, stem):
        at_least(info, 63)
        return net
    at_least(info, 15)
    net.set_submodule("features.0", nn.Conv2d(3, 64, kernel_size=5, padding=2))
    head = {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "classifier": nn.Linear(256, info.num_classes)}
    return nn.Sequential(OrderedDict(features=net.get_submodule("features"), **head))
