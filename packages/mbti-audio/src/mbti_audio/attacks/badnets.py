"""Audio BadNets: a click at the start of a sound."""

from __future__ import annotations

from pydantic import PositiveInt

from mbti_audio.loudness import Sample
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, PoisonContext


class BadNets(Attack[Waves]):
    """Overwrite the first samples of a sound; the attacker adds relabelled rows to the training data.

    Shape: (B, T) in [-1, 1].
    Units: ``samples``, a quarter of a millisecond at 16 kHz; ``value`` a sample's.
    Source: Gu et al. 2017, section 3.1: x' = x (1 - m) + t m.
    Deviates: a stretch of time in place of a patch, as a published tool kit has it.
    """

    samples: PositiveInt = 4
    value: Sample = -1.0

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return a copy with the click."""
        del ctx
        wave = x.wave.clone()
        wave[:, : self.samples] = self.value
        return x.with_wave(wave)
