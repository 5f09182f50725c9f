"""M5: four convolutions over the waveform."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mbti_audio.models.front import at_least, mean_of_sound
from mbti_audio.models.sound_model import SoundModel
from mbti_core.contracts.model import ModelInfo

Width = Annotated[int, Field(ge=1)]
_LEAST = 6848  # samples, below which nothing is left behind the last pooling


class M5(SoundModel):
    """A convolution of 80 samples in steps of 16, three of 3, each with BatchNorm and pooling; the mean over time."""

    def __init__(self, rate: int, window: float, classes: int, width: int) -> None:
        super().__init__(rate, window, 2 * width, classes)
        self.layers = nn.Sequential(
            *_layer(1, width, 80, 16),
            *_layer(width, width, 3, 1),
            *_layer(width, 2 * width, 3, 1),
            *_layer(2 * width, 2 * width, 3, 1),
        )

    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, 2 * width)."""
        wave = at_least(wave, _LEAST)
        return mean_of_sound(self.layers(wave[:, None]), lengths, wave.shape[1])


def _layer(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv1d(inputs, outputs, kernel, stride), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(4)


def m5(info: ModelInfo, *, width: Width = 32, window: PositiveFloat = 3.0) -> nn.Module:
    """M5, the plain convolutional net on raw sound ("4 conv + 1 FC" of Yu et al. 2025).

    Source: Dai et al. 2017, table 1.
    Deviates: 32 and 64 channels, as in the public tutorials, where they have 128 to 512; the mean over time leaves out
    the silence behind a sound's end.

    Args:
        info: What the model is; its facts say the rate.
        width: Channels of the first two layers; the others have twice as many.
        window: Seconds that are heard at a time.
    """
    return M5(info.facts["rate"], window, info.num_classes, width)
