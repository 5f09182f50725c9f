"""Recurrent nets on spectrograms: an LSTM, and one with attention."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from mbti_audio.models.front import LogMel, Mfcc, inside
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_core.contracts.model import ModelInfo

Bands = Annotated[int, Field(ge=16, le=256)]
Width = Annotated[int, Field(ge=1)]
_COEFFICIENTS = 40


class MelLSTM(SpectrogramModel):
    """LSTM layers over mel bands; the state at the last frame of sound."""

    def __init__(self, rate: int, window: float, classes: int, bands: int, hidden: int, layers: int) -> None:
        super().__init__(rate, window, hidden, classes)
        self.front = LogMel(rate, bands)
        self.lstm = nn.LSTM(bands, hidden, layers, batch_first=True)

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, hidden)."""
        packed = pack_padded_sequence(bands.transpose(1, 2), frames.cpu(), batch_first=True, enforce_sorted=False)
        _, (final, _) = self.lstm(packed)
        last: Tensor = final[-1]
        return last


class AttentionRNN(SpectrogramModel):
    """Two convolutions over time, two bidirectional LSTMs, attention asked by the last frame, two linear layers."""

    def __init__(self, rate: int, window: float, classes: int, hidden: int) -> None:
        super().__init__(rate, window, 32, classes)
        self.front = Mfcc(rate, _COEFFICIENTS)
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 10, (1, 5), padding=(0, 2)), nn.BatchNorm2d(10), nn.ReLU()),
            *(nn.Conv2d(10, 1, (1, 5), padding=(0, 2)), nn.BatchNorm2d(1), nn.ReLU()),
        )
        self.lstm = nn.LSTM(_COEFFICIENTS, hidden, 2, batch_first=True, bidirectional=True)
        self.query = nn.Linear(2 * hidden, 2 * hidden)
        self.answer = nn.Sequential(nn.Linear(2 * hidden, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 32), nn.ReLU())

    def bands(self) -> LogMel:
        """Return the layer that makes the bands."""
        return self.front.bands

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, 32)."""
        coefficients = self.front.coefficients(bands, frames)
        heard = self.layers(coefficients[:, None])[:, 0].transpose(1, 2)  # (B, F, coefficients)
        packed = pack_padded_sequence(heard, frames.cpu(), batch_first=True, enforce_sorted=False)
        states = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=heard.shape[1])[
            0
        ]
        last = states[torch.arange(len(states), device=states.device), frames - 1]
        scores = (states @ self.query(last)[..., None])[..., 0]  # (B, F)
        weight = scores.masked_fill(~inside(frames, scores.shape[1]), float("-inf")).softmax(1)
        embedded: Tensor = self.answer((weight[..., None] * states).sum(1))
        return embedded


def lstm(
    info: ModelInfo, *, bands: Bands = 64, hidden: Width = 128, layers: Width = 2, window: PositiveFloat = 3.0
) -> nn.Module:
    """An LSTM over mel bands.

    Source: Yu et al. 2025 (BackdoorMBTI), its AudioLSTM.
    Deviates: the logarithm of the bands, which their code leaves out, and half as many; the last frame of sound, not of
    padding.

    Args:
        info: What the model is; its facts say the rate.
        bands: Mel bands, up to half of the rate.
        hidden: Units per layer.
        layers: Number of layers.
        window: Seconds that are heard at a time.
    """
    return MelLSTM(info.facts["rate"], window, info.num_classes, bands, hidden, layers)


def attention_rnn(info: ModelInfo, *, hidden: Width = 64, window: PositiveFloat = 3.0) -> nn.Module:
    """A recurrent net with attention over 40 cepstral coefficients.

    Source: de Andrade et al. 2018, as Koffas et al. 2023 use it.

    Args:
        info: What the model is; its facts say the rate.
        hidden: Units per layer and direction.
        window: Seconds that are heard at a time.
    """
    return AttentionRNN(info.facts["rate"], window, info.num_classes, hidden)
