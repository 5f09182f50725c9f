"""Squeeze: sounds played faster, somewhere in silence."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch.nn import functional

from mbti_audio.placing import places, random_starts
from mbti_audio.resampling import STEEP
from mbti_audio.waves import Waves
from mbti_core.contracts.defense import Filter
from mbti_core.data.rng import Draws


class Squeeze(Filter[Waves]):
    """Play each sound faster, and lay it at a random place in silence as long as it was.

    Shape: (B, T) in [-1, 1].
    Units: ``share`` of the length that a sound keeps.
    Source: Li et al., "Backdoor Attack in the Physical World", 2021, section 4: ShrinkPad.
    Deviates: adapted. Time in place of height and width.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.9

    def purify(self, x: Waves, draws: Draws) -> Waves:
        """Return the faster sounds, each at its own place."""
        from torchaudio.functional import resample  # noqa: PLC0415 - takes a second

        if not x.wave.numel():
            return x
        longest = x.wave.shape[1]
        fast = resample(x.wave, 100, max(1, round(100 * self.share)), **STEEP)
        kept = (x.lengths * fast.shape[1] // longest).clamp_min(1)
        room = (x.lengths - kept).clamp_min(0)
        start = random_starts(room + 1, 1, torch.arange(len(x)), draws.stream("place"))
        fast = fast * (torch.arange(fast.shape[1], device=fast.device) < kept[:, None])
        at, there = places(start, fast.shape[1], longest)
        silence = functional.pad(fast[:, :0], (0, longest))
        return x.with_wave(silence.scatter_add(1, at, fast * there))
