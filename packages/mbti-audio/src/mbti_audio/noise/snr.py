"""White noise at a signal-to-noise ratio."""

from __future__ import annotations

from mbti_audio.loudness import Share
from mbti_audio.noise.levels import Decibels, mixed
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import Noise, NoiseContext


class Snr(Noise[Waves]):
    """Add white Gaussian noise that follows the level of each sound; silence stays silent.

    Shape: (B, T) float32 in [-1, 1].
    Units: ``snr`` is the power of the whole sound over that of its noise, in dB, before clipping; ``strength`` a factor
    on the noise, so that 0.5 is 6 dB less of it.
    Source: Mauch and Ewert 2013, degradation "add noise".
    Deviates: only white noise; the level is measured over the sound without its padding.
    """

    strength: Share = 1.0
    snr: Decibels = 10.0

    def apply(self, x: Waves, ctx: NoiseContext) -> Waves:
        """Return the noisy batch, clipped and rounded."""
        noise = ctx.draws.stream("snr").normal(ctx.index, x.wave.shape[1:])
        return mixed(x, noise, self.snr, self.strength)
