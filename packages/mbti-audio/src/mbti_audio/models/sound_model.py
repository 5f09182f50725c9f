"""What all models for sounds have in common: windows over long sounds, and one linear head."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mbti_audio.models.front import LogMel
from mbti_audio.waves import Waves
from mbti_core.data.rng import Draws
from mbti_core.errors import NotSupportedError

_WINDOWS = 10  # at most: where a sound is longer than all of them, they leave gaps


class SoundModel(nn.Module, ABC):
    """A batch of sounds to logits (B, C), whatever their length.

    Where a batch is longer than the window, training sees one window of each sound at a random place, drawn anew in
    each step; otherwise as many windows as cover it are embedded one after another, and the mean of their embeddings
    is classified. So memory grows with the window and not with the sound.

    Args:
        rate: Samples per second of every sound.
        window: Seconds.
        width: Values of an embedding.
        classes: Width of the logits.
        dropout: Share of the embedding that the head does not see in training.
    """

    steps: Tensor

    def __init__(self, rate: int, window: float, width: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.rate = rate
        self.window = max(1, round(window * rate))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @abstractmethod
    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, width) of sounds (B, T), whose samples behind their lengths (B,) are zero."""

    def forward(self, x: Waves | Tensor) -> Tensor:
        """Return (B, C) logits of a batch; of a tensor (B, T) as well, which is sound from end to end.

        Raises:
            NotSupportedError: If the sounds have another rate than the model was made for.
        """
        if isinstance(x, Tensor):
            x = Waves(x, torch.full((len(x),), x.shape[1], device=x.device), self.rate)
        if x.rate not in (self.rate, 0):
            raise NotSupportedError(
                f"This model hears sounds of {self.rate} Hz, and got some of {x.rate} Hz.",
                f"Set dataset.rate to {self.rate}.",
            )
        if x.wave.shape[1] <= self.window:
            z = self.embed(x.wave, x.lengths)
        elif self.training:
            z = self.embed(*self._cut(x, self._anywhere(x)))
        else:
            z = self._over_windows(x)
        logits: Tensor = self.head(self.dropout(z))
        return logits

    def _anywhere(self, x: Waves) -> Tensor:
        """Return (B,) starts of windows: all inside the sounds, others in every step."""
        self.steps += 1
        rows = torch.arange(len(x), device=x.wave.device)
        share = Draws(int(self.steps)).stream("window").uniform(rows)
        return (share * (self._room(x) + 1)).long()

    def _over_windows(self, x: Waves) -> Tensor:
        """Return the mean embedding of windows from each sound's start to its end, those of silence left out."""
        room = self._room(x)
        needed = (-(-x.lengths // self.window)).clamp(1, _WINDOWS)  # (B,)
        total: Tensor | int = 0
        for k in range(int(needed.max())):
            start = room * k // (needed - 1).clamp_min(1)
            z = self.embed(*self._cut(x, torch.minimum(start, room)))
            total = total + torch.where((k < needed)[:, None], z, torch.zeros_like(z))
        assert isinstance(total, Tensor)
        return total / needed[:, None]

    def _room(self, x: Waves) -> Tensor:
        return (x.lengths - self.window).clamp_min(0)

    def _cut(self, x: Waves, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows (B, window) from ``start`` (B,), and how much of each is sound."""
        places = start[:, None] + torch.arange(self.window, device=start.device)
        return x.wave.gather(1, places), (x.lengths - start).clamp(max=self.window)


class SpectrogramModel(SoundModel):
    """A model of sounds that knows of a window its log mel bands alone."""

    def bands(self) -> LogMel:
        """Return the layer that makes the bands."""
        layer: LogMel = self.front  # type: ignore[assignment]  # what a module holds has no type of its own
        return layer

    def heard(self, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, bands, F) and the frames that hold sound (B,), of (B, T) and (B,)."""
        found: tuple[Tensor, Tensor] = self.bands()(wave, lengths)
        return found

    def shape(self, samples: int) -> tuple[int, int]:
        """Return bands and frames of a sound."""
        return self.bands().shape(samples)

    def sounding(self, bands: Tensor, share: Tensor, samples: int) -> Tensor:
        """Return (samples,): a sound of about such bands (bands, F), as much of each as its share says."""
        return self.bands().sounding(bands, share, samples)

    @abstractmethod
    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, width) of bands (B, bands, F), which are zero behind their frames (B,)."""

    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, width)."""
        return self.seen(*self.heard(wave, lengths))

    def judged(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, C) logits of bands (B, bands, F)."""
        logits: Tensor = self.head(self.dropout(self.seen(bands, frames)))
        return logits
