"""A telephone line."""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from mbti_audio.loudness import Share
from mbti_audio.noise.convolution import convolved
from mbti_audio.noise.levels import stored
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import Noise, NoiseContext

_REACH = 0.0125  # seconds to each side: edges of the band about 200 Hz wide
Hertz = Annotated[float, Field(ge=0.0, le=200_000.0)]


class BandLimit(Noise[Waves]):
    """Keep the frequencies of a band, as a telephone or an old codec does; neither delayed nor longer than before.

    Shape: (B, T) float32 in [-1, 1].
    Units: ``low`` and ``high`` in Hz, where half of the amplitude is left; what is 110 Hz outside is 70 dB lower. A
    ``high`` above half the rate takes nothing away. ``strength`` is the share of the limited sound in the mix with the
    whole one: at 0.9, what is outside of the band is left at -20 dB.
    Source: Hirsch and Pearce 2000, filter G.712: flat from 300 to 3400 Hz.
    Deviates: a windowed sinc (Blackman) of linear phase in place of the filter that the ITU specifies.
    """

    strength: Share = 1.0
    low: Hertz = 300.0
    high: Hertz = 3400.0

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low: expected less than high ({self.high:g} Hz), got {self.low:g}")
        return self

    def apply(self, x: Waves, ctx: NoiseContext) -> Waves:
        """Return the limited batch, clipped and rounded."""
        del ctx
        if not x.wave.numel():
            return x
        reach = round(_REACH * x.rate)
        kernel = self._kernel(x.rate, reach).to(x.wave.device)
        limited = convolved(x.wave, kernel[None])[:, reach : reach + x.wave.shape[1]]
        return stored(x, x.wave.double().lerp(limited, self.strength))

    def _kernel(self, rate: int, reach: int) -> Tensor:
        """Return the impulse response (2 reach + 1,)."""
        at = torch.arange(-reach, reach + 1, dtype=torch.float64)
        low, high = (2 * min(edge / rate, 0.5) for edge in (self.low, self.high))  # half the rate is 1
        band = high * torch.sinc(high * at) - low * torch.sinc(low * at)
        return band * torch.blackman_window(len(at), periodic=False, dtype=torch.float64)
