"""Pictures in files of their own, with labels from folders or from an annotation file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from mbti_core.contracts.dataset import Records
from mbti_core.data.reading import listed, reading
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.datasets.decode import decode, gather, resize
from mbti_image.sample import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".webp")
Side = Annotated[int, Field(ge=8, le=1024)]
"""Height and width in pixels that every picture is resized to."""
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

    def records(self, side: int) -> Records[Image]:
        """Return the part; pictures are read, decoded and resized to ``side`` as their rows are asked for."""

        def read(rows: _Array) -> Image:
            at = rows.tolist()
            return gather(len(at), lambda places: [_picture(self.files[at[i]], side) for i in places], (3, side, side))

        return Records(np.array(self.labels, dtype=np.int64), read)


def _picture(file: str, side: int) -> Any:
    path = Path(file)
    with reading(path, "a picture"):
        encoded = path.read_bytes()
    return resize(decode(encoded, file), side)


def pictures_in(folder: Path) -> list[str]:
    """Return the sorted names of the pictures in a folder, by their suffix; none if there is no such folder.

    Raises:
        DataUnavailableError: If the folder may not be read.
    """
    return [name for name in listed(folder) if name.lower().endswith(SUFFIXES)]


def pictures_below(folder: Path) -> list[str]:
    """Return the sorted paths of the pictures in a folder and those inside it, relative to it, with slashes.

    Raises:
        DataUnavailableError: If one of the folders may not be read.
    """
    names = []
    for name in listed(folder):
        if name.startswith("."):
            continue
        if name.lower().endswith(SUFFIXES):
            names.append(name)
        elif (folder / name).is_dir():
            names += [f"{name}/{inner}" for inner in pictures_below(folder / name)]
    return names


def check_not_empty(folder: Path, names: Collection[str]) -> None:
    """Refuse a class without pictures.

    Raises:
        DataFormatError: If ``names`` is empty; names the folder.
    """
    if not names:
        raise DataFormatError(
            f"{folder} holds no picture ({', '.join(SUFFIXES)}), and stands for a class.",
            "Copy its pictures again, or remove the folder.",
        )


def check_annotated(annotation: Path, names: Sequence[str], folder: Path) -> None:
    """See that an annotation file and a folder name the same pictures, each once.

    Args:
        annotation: The file, for messages.
        names: Names of pictures that it lists.
        folder: Where the pictures are.

    Raises:
        DataFormatError: If a name stands there twice, has no file, or a picture has no row; names the first.
    """
    rows, there = set(names), set(pictures_in(folder))
    if len(rows) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataFormatError(f"{annotation}: lists {twice} twice.", "Remove one of the rows, or download it again.")
    _refuse(sorted(rows - there), f"{annotation}: lists {{}}, which is not in {folder}", "rows without a file")
    _refuse(sorted(there - rows), f"{folder}: holds {{}}, which {annotation} does not list", "files without a row")


def _refuse(names: list[str], message: str, what: str) -> None:
    if names:
        more = f" ({len(names)} {what} in all)" if len(names) > 1 else ""
        raise DataFormatError(f"{message.format(names[0])}{more}.", "Copy or download the data set again, whole.")


def rows_of(annotation: Path, fields: int, separator: str | None = None) -> Iterator[list[str]]:
    """Yield the rows of an annotation file of plain text: one a line, empty lines left out.

    Args:
        annotation: The file.
        fields: The least number of fields in a row.
        separator: What stands between them; None is any white space.

    Raises:
        DataUnavailableError: If the file is missing or may not be read.
        DataFormatError: If it is no text, or a row is too short; names the line.
    """
    if annotation.name not in listed(annotation.parent):
        raise DataUnavailableError(
            f"There is no file {str(annotation)!r}, which tells the labels.", "Copy or download the data set again."
        )
    with (
        reading(annotation, "a text file", (UnicodeDecodeError,)),
        annotation.open(encoding="utf-8-sig") as lines,
    ):
        for number, line in enumerate(lines, 1):
            row = [field.strip() for field in line.split(separator)]
            if not line.strip():
                continue
            if len(row) < fields:
                raise DataFormatError(
                    f"{annotation}: line {number}: expected {fields} fields, found {len(row)}: {line.strip()[:60]!r}.",
                    "Copy or download the file again.",
                )
            yield row


def joined(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the paths of names in a folder."""
    base = f"{folder}{os.sep}"
    return [base + name for name in names]
