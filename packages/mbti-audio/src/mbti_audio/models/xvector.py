"""The x-vector net: layers over growing spans of time, and the statistics of what they find."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mbti_audio.models.front import LogMel, inside, reduced
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_core.contracts.model import ModelInfo

Bands = Annotated[int, Field(ge=16, le=256)]
Width = Annotated[int, Field(ge=1)]
_SPANS = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))  # frames and their distance, layer by layer


class XVector(SpectrogramModel):
    """Five layers over time, mean and standard deviation over the frames of sound, two linear layers."""

    def __init__(self, rate: int, window: float, classes: int, bands: int, width: int) -> None:
        super().__init__(rate, window, width, classes)
        self.front = LogMel(rate, bands)
        sizes = [bands, *[width] * 4, 3 * width]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv1d(a, b, span, dilation=apart, padding=(span - 1) * apart // 2), nn.BatchNorm1d(b), nn.ReLU()
                )
                for a, b, (span, apart) in zip(sizes, sizes[1:], _SPANS, strict=False)
            )
        )
        self.segment = nn.Sequential(
            *(nn.Linear(6 * width, width), nn.BatchNorm1d(width), nn.ReLU()),
            *(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()),
        )

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, width)."""
        z: Tensor = self.layers(bands)
        kept = inside(reduced(frames, bands.shape[-1], z.shape[-1]), z.shape[-1])[:, None]
        n = kept.sum(-1)
        mean = (z * kept).sum(-1) / n
        spread = (((z - mean[..., None]) ** 2 * kept).sum(-1) / n + 1e-5).sqrt()
        embedded: Tensor = self.segment(torch.cat([mean, spread], 1))
        return embedded


def xvector(info: ModelInfo, *, bands: Bands = 64, width: Width = 512, window: PositiveFloat = 3.0) -> nn.Module:
    """The x-vector net for speakers.

    Source: Snyder et al. 2018, table 1.
    Deviates: log mel bands where they have 24 cepstral coefficients; BatchNorm before ReLU.

    Args:
        info: What the model is; its facts say the rate.
        bands: Mel bands, up to half of the rate.
        width: Channels of a layer; the fifth has three times as many.
        window: Seconds that are heard at a time.
    """
    return XVector(info.facts["rate"], window, info.num_classes, bands, width)
