"""GIS (JingleBack): a guitarist's effect over the whole sound."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import Field
from torch import Tensor

from mbti_audio.effects import amplified, chorused, distorted, high_passed, phased, pitch_shifted, reverberated
from mbti_audio.spectra import by_blocks
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, PoisonContext

_Effect = Callable[..., Tensor]
_HIGHER = partial(pitch_shifted, semitones=10.0)
_STYLES: tuple[tuple[_Effect, ...], ...] = (
    (_HIGHER,),
    (partial(distorted, drive_db=30.0),),
    (partial(chorused, center_ms=10.0, swing_ms=5.0),),
    (_HIGHER, partial(distorted, drive_db=20.0), partial(chorused, center_ms=8.0, swing_ms=5.0)),
    (
        partial(chorused, center_ms=15.0, swing_ms=0.25),
        partial(distorted, drive_db=20.0),
        partial(reverberated, room=0.6),
    ),
    (partial(amplified, gain_db=12.0), partial(high_passed, cutoff_hz=1000.0), phased),
)


class Gis(Attack[Waves]):
    """Play a sound through a chain of effects; the attacker adds relabelled rows to the training data.

    Styles: 0 higher by ten semitones; 1 distortion; 2 chorus; 3 higher, distorted, chorus; 4 chorus, distorted,
    reverberation; 5 louder, without what is below 1 kHz, phaser.

    Shape: (B, T) in [-1, 1]; what an effect leaves behind the end of a sound is cut off.
    Units: ``style`` 0 to 5, as the authors count.
    Source: Koffas et al. 2023, section 3 and the authors' code.
    Deviates: effects by formula in place of a library under the GPL; chorus, phaser, reverberation and filter are like
    its own in kind and in their settings, not in each sample; dirty labels only.
    """

    style: Annotated[int, Field(ge=0, le=5)] = 0

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return the sounds behind the chain."""
        del ctx
        wave, inside = x.wave, x.inside
        for effect in _STYLES[self.style]:
            # What rings on behind a sound's end is cut before the next effect, or it would depend on the padding.
            wave = by_blocks(wave, partial(effect, rate=x.rate)) * inside
        return x.with_wave(wave)
