"""A small convolutional network."""

from __future__ import annotations

from collections import OrderedDict

from pydantic import PositiveInt
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.normalize import Channels, Normalize


def cnn(
    info: ModelInfo,
    *,
    width: PositiveInt = 16,
    mean: Channels = (0.5, 0.5, 0.5),
    std: Channels = (0.5, 0.5, 0.5),
) -> nn.Module:
    """Three convolutions with BatchNorm of ``width``, 2 and 4 times ``width`` channels, for pictures of 8 to 64 pixels.

    Args:
        info: What the model is; ``num_classes`` sets the width of the logits.
        width: Channels of the first convolution.
        mean: Of each channel of the data, on the [0, 1] scale.
        std: Of each channel of the data, on the [0, 1] scale.
    """
    layers: list[tuple[str, nn.Module]] = [("normalize", Normalize(mean, std))]
    before = 3
    for depth, channels in enumerate((width, 2 * width, 4 * width), start=1):
        layers += [
            (f"conv{depth}", nn.Conv2d(before, channels, 3, padding=1, bias=False)),
            (f"norm{depth}", nn.BatchNorm2d(channels)),
            (f"relu{depth}", nn.ReLU()),
            (f"pool{depth}", nn.MaxPool2d(2) if depth < 3 else nn.AdaptiveMaxPool2d(2)),
        ]
        before = channels
    head = [("flatten", nn.Flatten()), ("fc", nn.Linear(4 * before, info.num_classes))]
    return nn.Sequential(OrderedDict([*layers, *head]))
