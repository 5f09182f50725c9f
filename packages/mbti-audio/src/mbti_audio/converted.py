"""A folder of sounds that somebody made of a data set's: ``train/17.wav`` of training row 17, ``test/4.wav``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mbti_audio.trigger_files import load_sound
from mbti_audio.waves import Waves
from mbti_core.data.reading import listed
from mbti_core.data.split import OFFSETS, place_of
from mbti_core.errors import DataFormatError, DataUnavailableError


def file_of(folder: Path, row: int) -> Path:
    """Return where the sound lies that was made of a row, by its id."""
    part, place = place_of(row)
    return folder / part / f"{place}.wav"


def rows_in(folder: Path) -> Tensor:
    """Return (n,) int64 ascending: ids of the rows that a folder has a sound of.

    Raises:
        DataUnavailableError: If there is no such folder, it may not be read, or it has none of a training row.
        DataFormatError: If a WAV file is not named by a row.
    """
    if not folder.is_dir():
        raise DataUnavailableError(f"attack.converted: there is no folder {str(folder)!r}.", "Correct the path.")
    found: list[int] = []
    for part, offset in OFFSETS.items():
        names = [name for name in listed(folder / part) if name.endswith(".wav")]
        found += [offset + _number(folder / part / name) for name in names]
        if part == "train" and not found:
            raise DataUnavailableError(
                f"attack.converted: there is no sound in {str(folder / part)!r}.",
                "Write train/17.wav for what becomes of training row 17, counted from 0.",
            )
    return torch.tensor(sorted(found), dtype=torch.int64)


def laid_over(x: Waves, folder: Path, index: Tensor) -> Waves:
    """Return the sounds (B, T) with those replaced that the folder has a file of; longer ones are cut, others padded.

    Raises:
        DataUnavailableError: If a file may not be read.
        DataFormatError: If a file is not a sound.
    """
    wave = x.wave.clone()
    for place, row in enumerate(index.tolist()):
        path = file_of(folder, row)
        if path.is_file():
            sound = load_sound(path, x.rate)[: wave.shape[1]]
            wave[place] = 0
            wave[place, : len(sound)] = sound.to(wave.device)
    return x.with_wave(wave)


def _number(path: Path) -> int:
    stem = path.stem
    if not (stem.isascii() and stem.isdecimal() and str(int(stem)) == stem):
        raise DataFormatError(
            f"{path}: expected a row's number as the name, such as 17.wav, got {path.name!r}.",
            "Name each file by the place of its row in the data set's part, counted from 0.",
        )
    return int(stem)
