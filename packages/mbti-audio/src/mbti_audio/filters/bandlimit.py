"""Band limit: sounds without their upper half."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch.nn import functional

from mbti_audio.resampling import STEEP
from mbti_audio.waves import Waves
from mbti_core.contracts.defense import Filter
from mbti_core.data.rng import Draws


class BandLimit(Filter[Waves]):
    """Resample each sound to a lower rate and back: what lies above half of it is gone.

    Shape: (B, T) in [-1, 1].
    Units: ``share`` of the band that stays, from 0 Hz on.
    Source: Koffas et al. 2022, section 6: filtering and downsampling as countermeasures.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def purify(self, x: Waves, draws: Draws) -> Waves:
        """Return the sounds without what is above."""
        del draws
        from torchaudio.functional import resample  # noqa: PLC0415 - takes a second

        if not x.wave.numel():
            return x
        lower = max(1, round(100 * self.share))
        low = resample(x.wave, 100, lower, **STEEP)
        wave = resample(low, lower, 100, **STEEP)[:, : x.wave.shape[1]]
        return x.with_wave(functional.pad(wave, (0, x.wave.shape[1] - wave.shape[1])))
