"""Gaussian noise on samples, whatever the sound's own level."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mbti_audio.noise.levels import stored
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import Noise, NoiseContext


class Gaussian(Noise[Waves]):
    """Add independent Gaussian noise to every sample, once per data set.

    Shape: (B, T) float32 in [-1, 1]; what lies behind a sound's end stays silent.
    Units: ``mean`` and ``std`` in parts of full scale. At ``std`` 1, 32 % of the samples saturate and speech is lost:
    an SNR of -20 to -26 dB. To choose the SNR, take the noise ``snr``.
    Source: Yu et al. 2025 (BackdoorMBTI), section 4.1: x + std N(0, 1) + mean on a quarter of the rows, with standard
    deviation 1.
    Deviates: clipped to [-1, 1]; its code clips to [0, 1], which leaves half of each wave. Drawn once per row instead
    of at each access; rounded to the levels that a file holds.
    """

    mean: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    std: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0

    def apply(self, x: Waves, ctx: NoiseContext) -> Waves:
        """Return the noisy batch, clipped and rounded."""
        noise = ctx.draws.stream("gaussian").normal(ctx.index, x.wave.shape[1:])
        return stored(x, noise.mul_(self.std).add_(self.mean).add_(x.wave))
