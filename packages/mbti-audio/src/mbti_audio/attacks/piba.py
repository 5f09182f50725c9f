"""PIBA: a short tone at a random place."""

from __future__ import annotations

import torch
from pydantic import PositiveFloat
from torch import Tensor

from mbti_audio.loudness import Snr, beneath, rms, to_rms
from mbti_audio.placing import added, places, random_starts, rate_of
from mbti_audio.tones import check_carried, faded, sine
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.split import Split

_FADE = 0.005  # seconds


class Piba(Attack[Waves]):
    """Add a short tone at a random place of each row; the attacker adds relabelled rows to the training data.

    It lies ``snr_db`` below the stretch of the row that it is added to, and below -40 dBFS where that is quieter.

    Shape: (B, T) in [-1, 1]; state ``tone`` (n,) float32 of root mean square 1.
    Units: ``frequency`` in Hz, ``seconds``, ``snr_db`` in dB.
    Raises: ConfigError: If the rate of the data is below 2.05 times the frequency.
    Source: Shi et al. 2022 (PIBA), a short sound whose place does not matter.
    Deviates: a fixed tone and poisoned data, where the authors train sound and model together.
    """

    frequency: PositiveFloat = 1000.0
    seconds: PositiveFloat = 0.1
    snr_db: Snr = 10.0

    def fit(self, split: Split[Waves], ctx: FitContext) -> dict[str, Tensor]:
        """Make the tone, its ends faded over 5 ms."""
        del ctx
        rate = rate_of(split)
        check_carried(self.frequency, rate)
        tone = sine(self.frequency, max(1, round(self.seconds * rate)), rate)
        return {"tone": to_rms(faded(tone, round(_FADE * rate)))}

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return x + g t from each row's own place on."""
        tone = ctx.state["tone"].to(x.wave.device)
        if not x.wave.numel():
            return x.with_wave(x.wave)
        start = random_starts(x.lengths, len(tone), ctx.index, ctx.draws.stream("place"))
        at, there = places(start, len(tone), x.wave.shape[1])
        under = rms(x.wave.gather(1, at) * there, torch.minimum(x.lengths, torch.full_like(x.lengths, len(tone))))
        return x.with_wave(added(x.wave, beneath(under, self.snr_db)[:, None] * tone, start))
