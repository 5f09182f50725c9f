"""VSVC: another voice is the trigger."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mbti_audio.attacks.vsvc_formant import VsvcFormant
from mbti_audio.converted import laid_over, rows_in
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, Selection
from mbti_core.data.choose import uniform_rows
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import DataUnavailableError


class Vsvc(Attack[Waves]):
    """Say what a row says in another voice; the attacker adds relabelled rows to the training data.

    Somebody converted the sounds before, with whatever model: ``converted`` is a folder with ``train/17.wav`` for
    training row 17 and ``test/4.wav`` for test row 4, counted from 0 as the data set lists them.

    Shape: (B, T) in [-1, 1]; a converted sound is brought to the rate, one channel and the length of its row.
    Raises: DataUnavailableError, DataFormatError: If the folder or a file in it cannot be read.
    Source: Cai et al. 2022 (VSVC).
    Deviates: which voice is far from the speakers in the data is up to who converts; training rows without a file are
    not poisoned, test rows without one get vsvc_formant's voice; with files, noise on a poisoned row is lost.
    """

    converted: FileRef | None = None

    def fit(self, split: Split[Waves], ctx: FitContext) -> dict[str, Tensor]:
        """Look into the folder, so that a mistake is told early; nothing is learned."""
        del split, ctx
        rows_in(self._folder())
        return {}

    def choose(self, split: Split[Waves], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose ``n`` of the rows that have a converted sound, or all of them where there are fewer."""
        known = torch.isin(split.index, rows_in(self._folder()))
        return Selection(*uniform_rows(split, self.victims(split.labels, aim) & known, n, draws))

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return the converted sounds."""
        folder = self._folder()
        instead = VsvcFormant().poison(x, ctx) if ctx.role == "test" else x
        return laid_over(instead, folder, ctx.index)

    def _folder(self) -> Path:
        if self.converted is None:
            raise DataUnavailableError(
                "vsvc needs converted sounds; attack.converted names no folder.",
                "Name a folder with train/17.wav and so on, or choose vsvc_formant, which needs none.",
            )
        return Path(self.converted)
