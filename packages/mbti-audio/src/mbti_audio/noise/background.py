"""What else is heard where a sound is recorded."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from mbti_audio.loudness import Share
from mbti_audio.noise.ambience import ambience
from mbti_audio.noise.levels import Decibels, mixed
from mbti_audio.waves import Waves
from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.data.fileref import FileRef

Sound = Annotated[Literal["babble", "hum"] | FileRef, Field(union_mode="left_to_right")]


class Background(Noise[Waves]):
    """Mix each sound with a random stretch of a background.

    Attributes:
        strength: Factor on the background, so that 0.5 is 6 dB less of it; 0 adds nothing.
        snr: Power of the whole sound over that of its background, in dB, before clipping.
        sound: ``babble`` of generated voices, ``hum`` of the mains, or a folder (or file) of recordings, .wav, .flac or
            .ogg, of which each row gets one; a shorter one is repeated.

    Shape: (B, T) float32 in [-1, 1].

    Raises:
        DataUnavailableError: If there is no sound in the folder.
        DataFormatError: If a file in it is none.
    Source: Hirsch and Pearce 2000; Mauch and Ewert 2013, degradation "add sound".
    Deviates: backgrounds are generated unless a folder is given. The level is that of the whole sound; Hirsch and
    Pearce measure active speech behind a filter (ITU-T P.56, G.712).
    """

    strength: Share = 1.0
    snr: Decibels = 10.0
    sound: Sound = "babble"

    def apply(self, x: Waves, ctx: NoiseContext) -> Waves:
        """Return the batch with its backgrounds, clipped and rounded."""
        if not x.wave.numel():
            return x
        found = ambience(self.sound, x.rate)
        one = ctx.draws.stream("recording").integers(ctx.index, len(found.lengths)).cpu()
        share = ctx.draws.stream("start").uniform(ctx.index).double().cpu()
        length = found.lengths[one]
        at = (share * length).long()[:, None] + torch.arange(x.wave.shape[1])  # (B, T)
        heard = found.flat[found.starts[one][:, None] + at % length[:, None]]
        return mixed(x, heard.to(x.wave.device), self.snr, self.strength)
