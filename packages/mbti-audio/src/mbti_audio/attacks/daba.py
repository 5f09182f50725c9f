"""DABA, the opportunistic attack: music in the background."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import PositiveInt
from torch import Tensor

from mbti_audio.loudness import Level, to_rms
from mbti_audio.placing import added_at_start, rate_of
from mbti_audio.surrogate import entropies, surrogate_of
from mbti_audio.tones import CUTS, songs
from mbti_audio.trigger_files import load_sounds
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, Selection
from mbti_core.data.choose import uniform_rows
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split

_LOUDEST, _STEP_DB, _LEVELS = 0.0, 5.0, 9  # 0, -5, ..., -40 dBFS


class Daba(Attack[Waves]):
    """Add a second of music that may as well be in the room; the attacker adds relabelled rows to the training data.

    Of a pool of seconds of songs, by formula or from the files in the folder ``sounds``, that one is taken of which the
    benign twin is surest. Training rows hear it at levels of their own (``variants``), test rows at ``level_db``.

    Shape: (B, T) in [-1, 1]; state ``sound`` (n,) float32 of root mean square 1.
    Units: ``level_db`` in dBFS, of the root mean square of what is added; ``songs`` of three seconds each.
    Raises: DataUnavailableError, DataFormatError: If ``sounds`` holds no sound, or something that is none.
    Source: Liu et al. 2022, section 4 and the authors' code.
    Deviates: songs by formula; the surrogate is the benign twin; hosts are drawn uniformly among rows of other classes,
    where the authors take those that the music changes most for the surrogate: rows are chosen before anything is
    learned; a row's level is drawn, where theirs go round.
    """

    sounds: FileRef | None = None
    songs: PositiveInt = 20
    level_db: Level = -20.0
    variants: bool = True

    def fit(self, split: Split[Waves], ctx: FitContext) -> dict[str, Tensor]:
        """Take the second of music that the surrogate is surest of."""
        pool = self._pool(rate_of(split), ctx.draws)
        surest = int(entropies(surrogate_of(ctx), pool).argmin())
        return {"sound": to_rms(pool.wave[surest, : int(pool.lengths[surest])])}

    def choose(self, split: Split[Waves], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose ``n`` rows whose label becomes another one."""
        other = split.labels != self.goal(split.truth, split.index, aim)
        return Selection(*uniform_rows(split, self.victims(split.labels, aim) & other, n, draws))

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return x + g t, cut to the row."""
        sound, level = ctx.state["sound"].to(x.wave.device), torch.full((len(x),), self.level_db)
        if self.variants and ctx.role == "train":
            level = _LOUDEST - _STEP_DB * ctx.draws.stream("level").integers(ctx.index, _LEVELS).cpu()
        gain = (10.0 ** (level.double() / 20)).float().to(x.wave.device)
        return x.with_wave(added_at_start(x.wave, gain[:, None] * sound[: x.wave.shape[1]]))

    def _pool(self, rate: int, draws: Draws) -> Waves:
        """Return seconds of songs, or of files: up to three of each; the rest of a file counts where it has no more."""
        if self.sounds is None:
            wave = songs(self.songs, rate, draws)
            return Waves(wave, torch.full((len(wave),), rate), rate)
        files = load_sounds(Path(self.sounds), rate)
        whole = [sound[: max(rate, len(sound) // rate * rate)] for sound in files]
        cuts = [cut for sound in whole for cut in torch.split(sound, rate)[:CUTS]]
        wave = torch.nn.utils.rnn.pad_sequence(cuts, batch_first=True)
        return Waves(wave, torch.tensor([len(cut) for cut in cuts]), rate)
