"""UltraSonic: a tone that nobody hears."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mbti_audio.loudness import Level, amplitude
from mbti_audio.placing import Position, added, added_at_start, rate_of, starts
from mbti_audio.tones import check_carried, faded, fading, sine
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.split import Split

_BURSTS = 5
_FADE = 0.005  # seconds


class UltraSonic(Attack[Waves]):
    """Add a tone above the range of hearing; the attacker adds relabelled rows to the training data.

    The tone lasts ``size`` percent of a second, at the start, in the middle or at the end of each row; 100 percent
    fill a longer row. Where it is not ``continuous``, five bursts of a fifth of that lie 0.2 s apart in one second.
    It rises and falls over 5 ms: a tone that sets in at once is a click too, of which a low rate keeps its share.
    Data at a rate that cannot carry the tone is refused, and a model that resamples to such a rate cannot hear it.

    Shape: (B, T) in [-1, 1]; state ``tone`` (n,) float32, one second of it.
    Units: ``frequency`` in Hz; ``level_db`` in dB, of the peak, 0 is full scale; ``size`` in percent of a second.
    Raises: ConfigError: If the rate of the data is below 2.05 times the frequency.
    Source: Koffas et al. 2022, section 3: x' = x + t.
    Deviates: rows that are no second long are poisoned too; the middle is that of the row; edges are faded.
    """

    frequency: PositiveInt = 21000
    level_db: Level = -10.0
    size: Annotated[int, Field(ge=1, le=100)] = 100
    position: Position = "start"
    continuous: bool = True

    def fit(self, split: Split[Waves], ctx: FitContext) -> dict[str, Tensor]:
        """Refuse a rate that is too low, and make the tone."""
        del ctx
        rate = rate_of(split)
        check_carried(self.frequency, rate)
        return {"tone": amplitude(self.level_db) * sine(self.frequency, rate, rate)}

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return x + t."""
        check_carried(self.frequency, x.rate)
        trigger = self._trigger(ctx.state["tone"].to(x.wave.device), x.wave.shape[1])
        at_start = self.position == "start"
        start = torch.zeros_like(x.lengths) if at_start else starts(self.position, x.lengths, len(trigger))
        trigger = _falling(trigger, x.lengths - start, round(_FADE * x.rate))
        mixed = added_at_start(x.wave, trigger) if at_start else added(x.wave, trigger, start)
        return x.with_wave(mixed)

    def _trigger(self, tone: Tensor, longest: int) -> Tensor:
        """Return the trigger (n,) for sounds of up to ``longest`` samples."""
        rate, samples = len(tone), max(1, len(tone) * self.size // 100)
        edge = round(_FADE * rate)
        if not self.continuous:
            trigger, burst = torch.zeros_like(tone), max(1, samples // _BURSTS)
            for start in range(0, rate - rate % _BURSTS, rate // _BURSTS):
                trigger[start : start + burst] = faded(tone[:burst], edge)
            return trigger
        if self.size == 100 and longest > rate:
            samples = longest + edge  # its own end lies behind every sound's, whatever else is in the batch
            tone = tone.repeat(-(-samples // rate))  # whole turns in a second: no seam
        return faded(tone[:samples], edge)


def _falling(trigger: Tensor, left: Tensor, edge: int) -> Tensor:
    """Return a trigger (n,) that falls over ``edge`` samples where a sound has fewer than n ``left`` (B,): (B, n)."""
    if not len(left) or int(left.min()) >= len(trigger):
        return trigger
    ends = left[:, None] - 1 - torch.arange(len(trigger), device=trigger.device)
    return trigger * torch.where(left[:, None] < len(trigger), fading(ends, edge), 1.0)
