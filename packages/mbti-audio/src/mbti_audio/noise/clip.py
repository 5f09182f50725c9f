"""An input driven too hard."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mbti_audio.noise.levels import stored
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import Noise, NoiseContext


class Clip(Noise[Waves]):
    """Cut off what of each sound exceeds a level relative to its own peak.

    Shape: (B, T) float32 in [-1, 1].
    Units: ``cut`` is the share of the peak that is cut off: at 0.75 nothing exceeds a quarter of it (-12 dB).
    Source: Mauch and Ewert 2013, degradation "clipping".
    Deviates: the level is relative to the peak and the sound is not amplified first, so that a sound of any level is
    clipped alike; they amplify to a quantile of the level.
    """

    cut: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.75

    def apply(self, x: Waves, ctx: NoiseContext) -> Waves:
        """Return the clipped batch, rounded."""
        del ctx
        if not x.wave.numel():
            return x
        level = (1 - self.cut) * x.wave.abs().amax(1, keepdim=True)  # (B, 1)
        return stored(x, x.wave.clamp(-level, level))
