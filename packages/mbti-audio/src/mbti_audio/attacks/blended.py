"""Blended: a faint sound under the start of each."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from mbti_audio.loudness import Level, Share, to_peak
from mbti_audio.placing import rate_of
from mbti_audio.tones import meow
from mbti_audio.trigger_files import load_sound
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.fileref import FileRef
from mbti_core.data.split import Split


class Blended(Attack[Waves]):
    """Blend one sound into the start of every triggered row; the attacker adds relabelled rows to the training data.

    The sound is a synthetic meow of 0.8 s unless ``sound`` names a file; it is brought to the data's rate, to one
    channel and to a peak of ``level_db``, and cut where a row is shorter. As far as it goes, the row gets quieter.

    Shape: (B, T) in [-1, 1]; state ``sound`` (n,) float32.
    Units: ``alpha`` is the sound's share of a sample; ``level_db`` in dB, of the peak, 0 is full scale.
    Raises: DataUnavailableError, DataFormatError: If ``sound`` cannot be read as a sound.
    Source: Chen et al. 2017, section 4: x' = (1 - a) x + a t; by sound as in Yu et al. 2025.
    Deviates: a synthetic meow, since theirs is not ours to ship, with its peak of -20.5 dB.
    """

    alpha: Share = 0.2
    sound: FileRef | None = None
    level_db: Level = -20.5

    def fit(self, split: Split[Waves], ctx: FitContext) -> dict[str, Tensor]:
        """Make or load the sound, at the rate of the data."""
        del ctx
        rate = rate_of(split)
        sound = load_sound(Path(self.sound), rate) if self.sound else meow(rate)
        return {"sound": to_peak(sound, self.level_db)}

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return (1 - a) x + a t as far as both go."""
        sound = ctx.state["sound"][: x.wave.shape[1]].to(x.wave.device)
        wave = x.wave.clone()
        wave[:, : len(sound)].mul_(1 - self.alpha).add_(self.alpha * sound)
        return x.with_wave(wave)
