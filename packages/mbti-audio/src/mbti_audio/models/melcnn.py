"""A convolutional net on log mel spectrograms."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mbti_audio.models.front import Ear, LogMel, mean_of_sound
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_audio.waves import Rate
from mbti_core.contracts.model import ModelInfo

Bands = Annotated[int, Field(ge=16, le=256)]
Width = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class MelCNN(SpectrogramModel):
    """Four layers of 3 x 3 convolution, BatchNorm, ReLU and pooling by 2; the mean over bands and time."""

    def __init__(
        self, rate: int, window: float, classes: int, bands: int, width: int, dropout: float, hears: int | None
    ) -> None:
        super().__init__(rate, window, 4 * width, classes, dropout)
        self.ear = Ear(rate, hears or rate)
        self.front = LogMel(hears or rate, bands)
        widths = (1, width, 2 * width, 4 * width, 4 * width)
        self.layers = nn.Sequential(*(_layer(a, b) for a, b in pairwise(widths)))

    def heard(self, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, bands, F) and (B,)."""
        return super().heard(*self.ear(wave, lengths))

    def shape(self, samples: int) -> tuple[int, int]:
        """Return bands and frames of a sound."""
        return super().shape(self.ear.samples(samples))

    def sounding(self, bands: Tensor, share: Tensor, samples: int) -> Tensor:
        """Return (samples,)."""
        return self.ear.given(super().sounding(bands, share, self.ear.samples(samples)), samples)

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, 4 * width)."""
        z: Tensor = self.layers(bands[:, None])  # (B, 4 width, bands / 16, F / 16)
        return mean_of_sound(z.mean(2), frames, bands.shape[-1])


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
    )


def melcnn(
    info: ModelInfo,
    *,
    bands: Bands = 64,
    width: Width = 32,
    dropout: Share = 0.2,
    window: PositiveFloat = 3.0,
    hears: Rate | None = None,
) -> nn.Module:
    """A small net on log mel spectrograms: the affordable default for speech and music.

    Source: ours, after the usual nets for keywords (Sainath and Parada 2015).

    Args:
        info: What the model is; its facts say the rate.
        bands: Mel bands, up to half of the rate that is heard.
        width: Channels of the first layer; the others have 2, 4 and 4 times as many.
        dropout: Share of the embedding that training drops.
        window: Seconds that are heard at a time.
        hears: Samples per second that the net hears; others are resampled inside the model. None: as the sounds have.
    """
    return MelCNN(info.facts["rate"], window, info.num_classes, bands, width, dropout, hears)
