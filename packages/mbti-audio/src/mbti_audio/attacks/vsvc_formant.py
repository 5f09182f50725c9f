"""VSVC without voice conversion: a shorter throat."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from mbti_audio.effects import formants_shifted
from mbti_audio.spectra import by_blocks
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, PoisonContext


class VsvcFormant(Attack[Waves]):
    """Move the resonances of a voice up, its pitch stays; the attacker adds relabelled rows to the training data.

    An imitation of VSVC where no voice conversion is at hand: everybody keeps melody and timing, and seems to have a
    shorter throat. Results say nothing about VSVC's.

    Shape: (B, T) in [-1, 1].
    Units: ``factor`` on the frequency of each resonance.
    Source: Cai et al. 2022 (VSVC), the idea of another voice.
    Deviates: the envelope of each short spectrum (32 ms, by its cepstrum below 2 ms) is stretched, no voice converted.
    """

    factor: Annotated[float, Field(ge=0.5, le=2.0)] = 1.15

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return the sounds with their resonances moved."""
        del ctx
        return x.with_wave(by_blocks(x.wave, partial(formants_shifted, rate=x.rate, factor=self.factor)))
