"""Files with a labelled text in each row: tables and JSON lines, indexed once and read again as rows are asked for."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mbti_core.data.reading import reading
from mbti_core.errors import DataFormatError
from mbti_text.datasets.labelled import AGAIN, Array, Labelled
from mbti_text.files import Lines, fit_text
from mbti_text.sample import Text

_LONGEST = (1 << 31) - 1


class Row(NamedTuple):
    """A row as it is found: its first line, counted from 1, and the bytes where it starts and ends."""

    line: int
    start: int
    end: int
    text: str
    label: str


class RowFile(ABC):
    """A file with a labelled text in each row.

    Attributes:
        path: The file.
    """

    path: Path

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield all rows.

        Raises:
            DataUnavailableError: If the file is missing or may not be read.
            DataFormatError: At a row that does not hold a text and a label.
        """

    @abstractmethod
    def text(self, raw: str) -> str:
        """Return the text of a row that was found before, from what stands between its start and its end."""


@dataclass(frozen=True)
class Layout:
    """How a table is written.

    Attributes:
        separator: What stands between two fields.
        quotes: Whether a field may stand in double quotes; without, they are characters like any other.
        hint: What to do about a row, or a first line, of another form.
    """

    separator: str
    quotes: bool
    hint: str

    def fields(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Yield the fields of each row; a quoted field may go over several lines."""
        csv.field_size_limit(_LONGEST)  # a long text is no mistake, and the module's own limit is 128 kB
        if not self.quotes:
            return csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE, strict=True)
        return csv.reader(lines, delimiter=self.separator, strict=True)


@dataclass(frozen=True)
class Columns:
    """Where text and label stand in a row.

    Attributes:
        names: The columns, for messages.
        texts: Places of what makes up the text, joined by a space where it is not empty.
        label: Place of the label.
    """

    names: tuple[str, ...]
    texts: tuple[int, ...]
    label: int


class TableFile(RowFile):
    """Rows of fields.

    Args:
        path: The file.
        layout: How it is written.
        columns: Where text and label stand, for a file without a header; or their names, for one with a header.

    Raises:
        DataUnavailableError: If the file is missing or may not be read.
        DataFormatError: If the header lacks one of the names.
    """

    def __init__(self, path: Path, layout: Layout, columns: Columns | tuple[str, str]) -> None:
        self.path, self._layout = path, layout
        self._header = isinstance(columns, tuple)
        self._columns = columns if isinstance(columns, Columns) else self._found(*columns)

    def _found(self, text: str, label: str) -> Columns:
        names = next((fields for _, _, _, fields in self._records()), [])
        stripped = tuple(name.strip() for name in names)
        if text not in stripped or label not in stripped:
            found = ", ".join(repr(name[:40]) for name in stripped[:8]) or "nothing"
            raise DataFormatError(
                f"{self.path}: line 1: expected a header with the columns {text}, {label}; found {found}.",
                self._layout.hint,
            )
        return Columns(stripped, (stripped.index(text),), stripped.index(label))

    def _records(self) -> Iterator[tuple[int, int, int, list[str]]]:
        """Yield the first line, the start, the end and the fields of each row; empty lines are passed over."""
        with Lines(self.path) as lines:
            rows = self._layout.fields(lines)
            while True:
                line, start = lines.number + 1, lines.end
                try:
                    fields = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    reason = "there is a carriage return inside a field" if "new-line" in str(error) else error
                    raise DataFormatError(f"{self.path}: line {line}: {reason}.", self._layout.hint) from error
                if fields:
                    yield line, start, lines.end, fields

    def rows(self) -> Iterator[Row]:
        """Yield all rows behind the header."""
        names, texts, label = self._columns.names, self._columns.texts, self._columns.label
        for number, (line, start, end, fields) in enumerate(self._records()):
            if number == 0 and self._header:
                continue
            if len(fields) != len(names):
                raise DataFormatError(
                    f"{self.path}: line {line}: expected {len(names)} fields ({', '.join(names)}), "
                    f"found {len(fields)}.",
                    self._layout.hint,
                )
            yield Row(line, start, end, _joined(fields, texts), fields[label].strip())

    def text(self, raw: str) -> str:
        """Return the text of a row from its own lines."""
        return _joined(next(self._layout.fields(io.StringIO(raw, newline="\n"))), self._columns.texts)


def _joined(fields: Sequence[str], places: Sequence[int]) -> str:
    return " ".join(part for place in places if (part := fields[place].strip()))


class JsonFile(RowFile):
    """An object a line.

    Args:
        path: The file.
        text: Name of the field with the text.
        label: Name of the field with the label.
    """

    def __init__(self, path: Path, text: str, label: str) -> None:
        self.path, self._text, self._label = path, text, label

    def rows(self) -> Iterator[Row]:
        """Yield the rows; empty lines are passed over."""
        with Lines(self.path) as lines:
            start = 0
            for raw in lines:
                if raw.strip():
                    where = f"{self.path}: line {lines.number}"
                    row = self._row(raw, where)
                    yield Row(lines.number, start, lines.end, row[self._text], _label(row[self._label], where))
                start = lines.end

    def _row(self, raw: str, where: str) -> dict[str, Any]:
        try:
            row = json.loads(raw)
        except ValueError as error:
            raise DataFormatError(
                f"{where}: expected a JSON object, found {raw.strip()[:40]!r}: {error}.",
                "Write one object a line, without a list around them.",
            ) from error
        if not (isinstance(row, dict) and {self._text, self._label} <= row.keys()):
            found = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise DataFormatError(
                f"{where}: expected an object with {self._text}, {self._label}; found {found}.",
                "Name its fields with dataset.text and dataset.label.",
            )
        if not isinstance(row[self._text], str):
            raise DataFormatError(
                f"{where}: expected {self._text} as a string, found {row[self._text]!r:.40}.",
                "Name the field with the text as dataset.text.",
            )
        return row

    def text(self, raw: str) -> str:
        """Return the text of a row from its own line."""
        return str(json.loads(raw)[self._text])


def _label(value: Any, where: str) -> str:
    """Return a label as a string: a name, an integer, or true and false."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if value is None or isinstance(value, str | int):
        return "" if value is None else str(value).strip()
    raise DataFormatError(
        f"{where}: expected a label as a name or an integer, found {value!r:.40}.", "Name the field as dataset.label."
    )


def gathered(files: Sequence[RowFile]) -> Labelled:
    """Go through files once and return their rows, one file behind the other.

    Raises:
        DataUnavailableError: If a file is missing or may not be read.
        DataFormatError: If a row has no text or no label, or a file no rows; names the file and the line.
    """
    which, line, start, end, code = (array("q") for _ in range(5))
    values: dict[str, int] = {}
    for number, file in enumerate(files):
        before = len(code)
        for row in file.rows():
            fit_text(row.text, f"{file.path}: line {row.line}")
            if not row.label:
                raise DataFormatError(
                    f"{file.path}: line {row.line}: there is no label.", "Fill it in, or remove the row."
                )
            place = (number, row.line, row.start, row.end, values.setdefault(row.label, len(values)))
            for column, value in zip((which, line, start, end, code), place, strict=True):
                column.append(value)
        if len(code) == before:
            raise DataFormatError(f"{file.path}: there are no rows.", AGAIN)

    def read(rows: Array) -> Text:
        texts: Text = []
        for number, mine in groupby(rows.tolist(), which.__getitem__):
            file = files[number]
            with reading(file.path, "a text file"), file.path.open("rb") as stream:
                for row in mine:
                    stream.seek(start[row])
                    raw = stream.read(end[row] - start[row]).decode("utf-8" if start[row] else "utf-8-sig")
                    texts.append(fit_text(file.text(raw), f"{file.path}: line {line[row]}"))
        return texts

    found = np.frombuffer(code, dtype=np.int64) if code else np.zeros(0, dtype=np.int64)
    return Labelled(tuple(values), found, read, lambda row: f"{files[which[row]].path}: line {line[row]}")
