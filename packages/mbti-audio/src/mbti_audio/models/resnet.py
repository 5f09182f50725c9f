"""A residual net on log mel spectrograms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from mbti_audio.models.front import LogMel, mean_of_sound
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_core.contracts.model import ModelInfo

Bands = Annotated[int, Field(ge=16, le=256)]
Width = Annotated[int, Field(ge=1)]
_BLOCKS = (2, 2, 2, 2)


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        z = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(z + self.shortcut(x))


class MelResNet(SpectrogramModel):
    """A first convolution and four stages of two blocks, with 1, 2, 4 and 8 times as many channels."""

    def __init__(self, rate: int, window: float, classes: int, bands: int, width: int) -> None:
        super().__init__(rate, window, 8 * width, classes)
        self.front = LogMel(rate, bands)
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        stages, inputs = [], width
        for stage, blocks in enumerate(_BLOCKS):
            outputs = width << stage
            for block in range(blocks):
                stages.append(Block(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        self.layers = nn.Sequential(*stages)

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, 8 * width)."""
        z: Tensor = self.layers(self.stem(bands[:, None]))
        return mean_of_sound(z.mean(2), frames, bands.shape[-1])


def resnet18(info: ModelInfo, *, bands: Bands = 64, width: Width = 32, window: PositiveFloat = 3.0) -> nn.Module:
    """ResNet-18 on log mel spectrograms.

    Source: He et al. 2016, table 1.
    Deviates: no stride and no pooling before the blocks, as for small pictures; half as many channels.

    Args:
        info: What the model is; its facts say the rate.
        bands: Mel bands, up to half of the rate.
        width: Channels of the first stage.
        window: Seconds that are heard at a time.
    """
    return MelResNet(info.facts["rate"], window, info.num_classes, bands, width)
