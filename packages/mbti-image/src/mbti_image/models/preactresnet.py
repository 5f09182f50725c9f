"""The pre-activation ResNet on which most backdoor papers report."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.model import ModelInfo
from mbti_image.models.build import image_model


class PreActBlock(nn.Module):
    """Twice BatchNorm, ReLU and a 3 x 3 convolution, added to the input; a projection starts from the first ReLU.

    Shape: (B, before, H, W) to (B, channels, H / stride, W / stride).
    """

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        same = stride == 1 and before == channels
        self.shortcut = None if same else nn.Conv2d(before, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        active = functional.relu(self.bn1(x))
        beside = x if self.shortcut is None else self.shortcut(active)
        return cast(Tensor, self.conv2(functional.relu(self.bn2(self.conv1(active)))) + beside)


@image_model()
def preactresnet18(info: ModelInfo, *, width: PositiveInt = 64) -> nn.Module:
    """An 18-layer pre-activation ResNet for pictures of 8 to 64 pixels: 3 x 3 stem of stride 1, four stages.

    Source: He et al., Identity Mappings in Deep Residual Networks, ECCV 2016, figure 4 (e).
    Deviates: no BatchNorm and ReLU after the last block, and four stages as for ImageNet, as the backdoor literature
    uses it on CIFAR-10 (11,171,146 parameters with ten classes).

    Args:
        info: What the model is.
        width: Channels of the first stage; each further one has twice as many.
    """
    layers: dict[str, nn.Module] = {"conv1": nn.Conv2d(3, width, 3, padding=1, bias=False)}
    before = width
    for stage in range(4):
        channels = width * 2**stage
        first = PreActBlock(before, channels, 1 if stage == 0 else 2)
        layers[f"layer{stage + 1}"] = nn.Sequential(first, PreActBlock(channels, channels, 1))
        before = channels
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return nn.Sequential(OrderedDict(layers, linear=nn.Linear(before, info.num_classes)))
