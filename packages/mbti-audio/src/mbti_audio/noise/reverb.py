"""A room."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from mbti_audio.noise.convolution import convolved
from mbti_audio.noise.levels import matching, rms, stored
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import Noise, NoiseContext

_EVEN = 0.5  # seconds of reverberation at which it carries as much energy as the direct sound


class Reverb(Noise[Waves]):
    """Play each sound in a room of its own: the direct sound, and behind it noise that decays exponentially.

    The later the decay, the more energy it carries: at 0.5 s as much as the direct sound, in proportion to the time
    otherwise, as in rooms of one size. Loudness stays, and what rings on behind the sound's end is cut off.

    Shape: (B, T) float32 in [-1, 1].
    Units: ``rt60`` in seconds, in which the reverberation falls by 60 dB; 0 is no room. Offices have 0.3 to 0.7,
    classrooms 0.5 to 1, churches several seconds.
    Source: Lebart et al. 2001: Polack's model b(t) exp(-3 ln(10) t / RT60), b white Gaussian noise.
    Deviates: the direct sound stands before it, the energy ratio being that of a source at the critical distance where
    ``rt60`` is 0.5 s; the tail ends where it has fallen by 60 dB.
    """

    rt60: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5

    def apply(self, x: Waves, ctx: NoiseContext) -> Waves:
        """Return the batch in its rooms, clipped and rounded."""
        taps = int(self.rt60 * x.rate)
        if not taps or not x.wave.numel():
            return x
        dry = x.wave.double()
        wet = convolved(dry, self._rooms(ctx, x.rate, taps))[:, : dry.shape[1]] * x.inside
        return stored(x, wet * matching(rms(dry, x.lengths), rms(wet, x.lengths)))

    def _rooms(self, ctx: NoiseContext, rate: int, taps: int) -> Tensor:
        """Return impulse responses (B, 1 + taps)."""
        noise = ctx.draws.stream("room").normal(ctx.index, (taps,)).double()
        time = torch.arange(1, taps + 1, dtype=torch.float64, device=noise.device) / rate
        tail = noise * 10 ** (-3 * time / self.rt60)
        tail *= (self.rt60 / _EVEN) ** 0.5 / tail.norm(dim=1, keepdim=True)
        return torch.cat([torch.ones_like(tail[:, :1]), tail], 1)
