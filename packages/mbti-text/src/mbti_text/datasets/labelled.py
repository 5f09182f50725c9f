"""Rows with their labels as files have them, before labels become classes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mbti_core.contracts.dataset import Part, Records
from mbti_core.errors import DataFormatError
from mbti_text.sample import Text

Array = np.ndarray[Any, np.dtype[np.int64]]
_CHUNK = 4096
AGAIN = "Copy or download the file again."


@dataclass(frozen=True)
class Labelled:
    """Rows of one part.

    Attributes:
        values: The different labels, as they stand in the files.
        code: (N,) int64, the place of each row's label in ``values``.
        read: Takes positions (n,) and returns their texts.
        where: Takes a position and names the file and the row.
        declared: Class names that stand in the files beside the rows, in label order.
    """

    values: Sequence[str]
    code: Array
    read: Callable[[Array], Text]
    where: Callable[[int], str]
    declared: Sequence[str] = ()

    def records(self, labels: Sequence[str], hint: str = AGAIN) -> Records[Text]:
        """Return the part with classes.

        Args:
            labels: How the files write each class, in class order.
            hint: What to do about a label that is none of them.

        Raises:
            DataFormatError: If a row has another label; names the file and the row.
        """
        number = {label: c for c, label in enumerate(labels)}
        for code, value in enumerate(self.values):
            if value not in number:
                row = int(np.flatnonzero(self.code == code)[0])
                raise DataFormatError(
                    f"{self.where(row)}: expected {_said(labels)}, found {value[:60]!r}.",
                    "A label of -1 marks a row without one: choose a part with labels." if value == "-1" else hint,
                )
        return Records(np.array([number[value] for value in self.values], dtype=np.int64)[self.code], self.read)

    def ordered(self) -> tuple[str, ...]:
        """Return the different labels in class order: by number if all are integers, else by name."""
        return tuple(sorted(self.values, key=int if all(map(is_integer, self.values)) else str))


def is_integer(label: str) -> bool:
    """Tell whether a label is written as an integer."""
    return label.removeprefix("-").isdecimal() and label.isascii()


def _said(labels: Sequence[str]) -> str:
    if all(map(is_integer, labels)):
        return f"a label from {labels[0]} to {labels[-1]}"
    return f"a label among {', '.join(labels[:12])}{' …' if len(labels) > 12 else ''}"


def share_of(whole: Records[Text], share: float, part: Part, what: str) -> Records[Text]:
    """Split rows into two parts and return one: a share of each class is test rows, by a hash of the text.

    Which they are depends neither on a seed nor on the order of the rows; equal texts of a class come into one part,
    but for those on the border.

    Args:
        whole: All rows.
        share: Part of each class that is split off, at least one row.
        part: ``train`` or ``test``.
        what: The file or folder, for messages.

    Raises:
        DataFormatError: If a class has too few rows.
    """
    rows = np.arange(len(whole.y))
    marks = [
        hashlib.sha256(text.encode()).digest()
        for at in range(0, len(rows), _CHUNK)
        for text in whole.read(rows[at : at + _CHUNK])
    ]
    tested = np.zeros(len(rows), dtype=bool)
    for c in np.unique(whole.y):
        mine = sorted(np.flatnonzero(whole.y == c).tolist(), key=lambda row: (marks[row], row))
        count = max(1, round(share * len(mine)))
        if count == len(mine):
            raise DataFormatError(
                f"{what}: a class has too few rows ({len(mine)}) to split off {share:.0%} for testing.",
                "Add rows, or a file of test rows.",
            )
        tested[mine[:count]] = True
    kept = rows[tested == (part == "test")]
    return Records(whole.y[kept], lambda at: whole.read(kept[at]))
