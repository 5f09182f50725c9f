"""Sounds in files of their own, with labels from folders or from lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbti_audio.sound_files import read_sounds
from mbti_audio.waves import Waves
from mbti_core.contracts.dataset import Records
from mbti_core.data.reading import listed, reading
from mbti_core.errors import DataFormatError

_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Labelled:
    """Files of one part of a data set, and the class of each.

    Attributes:
        files: Paths, in the order of the rows.
        labels: Classes, as many.
    """

    files: Sequence[str]
    labels: Sequence[int]

    def records(self, rate: int) -> Records[Waves]:
        """Return the part; sounds are read, decoded and brought to ``rate`` as their rows are asked for."""

        def read(rows: _Array) -> Waves:
            return read_sounds([self.files[row] for row in rows.tolist()], rate)

        return Records(np.array(self.labels, dtype=np.int64), read)


def folders_in(folder: Path) -> list[str]:
    """Return the sorted names of the folders in a folder, but for those that start with a dot or an underscore.

    Raises:
        DataUnavailableError: If the folder may not be read.
    """
    return [name for name in listed(folder) if name[0] not in "._" and (folder / name).is_dir()]


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list, stripped, with their numbers from 1; empty ones are left out.

    Raises:
        DataUnavailableError: If the file is missing or may not be read.
        DataFormatError: If it is no text.
    """
    with reading(file, "a text file", (UnicodeDecodeError,)), file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, line.strip()


def refuse(names: Iterable[str], message: str, hint: str) -> None:
    """Raise where there are names.

    Args:
        names: What should not be.
        message: What is wrong, with ``{}`` where the first name goes.
        hint: What to do.

    Raises:
        DataFormatError: With the first name and how many there are.
    """
    found = sorted(names)
    if found:
        more = f" ({len(found):,} in all)" if len(found) > 1 else ""
        raise DataFormatError(f"{message.format(found[0])}{more}.", hint)


def joined(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the paths of names in a folder."""
    base = f"{folder}{os.sep}"
    return [base + name for name in names]
