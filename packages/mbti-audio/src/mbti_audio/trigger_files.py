"""Sounds that an attacker brings as files."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from mbti_audio.sound_files import read_sound
from mbti_audio.waves import FULL_SCALE
from mbti_core.data.reading import listed
from mbti_core.errors import DataUnavailableError

_ENDINGS = (".wav", ".flac", ".ogg")


def load_sound(path: Path, rate: int) -> Tensor:
    """Return a sound file as float32 (n,) in [-1, 1], n > 0: one channel, at ``rate``, on 16-bit levels.

    Raises:
        DataUnavailableError, DataFormatError: As ``read_sound`` does.
    """
    return read_sound(path, rate).float() / FULL_SCALE


def load_sounds(folder: Path, rate: int) -> list[Tensor]:
    """Return the sound files of a folder (not of those inside it) by name, as ``load_sound`` does.

    Raises:
        DataUnavailableError: If the folder is not there or may not be read, or holds no sound.
        DataFormatError: If one of the files is not a sound.
    """
    names = [name for name in listed(folder) if name.lower().endswith(_ENDINGS)]
    if not names:
        raise DataUnavailableError(
            f"There is no sound in the folder {str(folder)!r}.",
            f"Name a folder with files that end in {', '.join(_ENDINGS)}.",
        )
    return [load_sound(folder / name, rate) for name in names]
