"""PhaseBack: other phases in a band, the same loudness everywhere."""

from __future__ import annotations

import math

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from mbti_audio.spectra import by_blocks, frequencies, reshaped, width_of
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, PoisonContext

_EDGE = 250.0  # Hz: at a step, neighbors would cancel out, and magnitudes change by 2 dB


class PhaseBack(Attack[Waves]):
    """Turn the phases of a band of each short spectrum; the attacker adds relabelled rows to the training data.

    Magnitudes stay, so a model that hears only those learns little; one on the raw wave sees it. Silence stays silence.

    Shape: (B, T) in [-1, 1].
    Units: ``low`` and ``high`` in Hz, the ends of the band; ``degrees`` is what a phase is turned by, from 250 Hz
    within the band on.
    Source: Ye et al. 2023 (PhaseBack), phases changed and magnitudes kept.
    Deviates: the band, its edges, the angle and the spectra (32 ms, a quarter of that apart) are ours: a fixed turn
    for all.
    """

    low: NonNegativeFloat = 625.0
    high: PositiveFloat = 2500.0
    degrees: float = 90.0

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return the sounds with the band's phases turned."""
        del ctx
        width, device = width_of(x.rate), x.wave.device
        hertz = frequencies(width, x.rate, device)
        share = (torch.minimum(hertz - self.low, self.high - hertz) / _EDGE).clamp(0, 1)
        turn = torch.exp(1j * math.radians(self.degrees) * share)

        def change(wave: Tensor) -> Tensor:
            return reshaped(wave, width, lambda found: found * turn)

        return x.with_wave(by_blocks(x.wave, change))
