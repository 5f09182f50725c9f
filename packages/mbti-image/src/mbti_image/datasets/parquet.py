"""Encoded pictures and their labels in the public hub's parquet files, read forward a little at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mbti_core.data.reading import reading
from mbti_core.errors import DataFormatError
from mbti_image.datasets.decode import decode_all, gather
from mbti_image.sample import Image

Array = np.ndarray[Any, np.dtype[Any]]
_ENCODED = 512  # pictures in memory at a time: a row group may hold a whole data set


class ParquetImages:
    """One part of a data set: columns ``img`` (struct of bytes and path) and ``label``, over one or more files.

    Args:
        files: The part's files, in order.
        shape: (3, H, W) of every picture.
        classes: Number of classes.

    Raises:
        DataUnavailableError: If a file may not be read.
        DataFormatError: If a file is truncated, or has other columns, types or labels than its layout promises.
    """

    def __init__(self, files: Sequence[Path], shape: tuple[int, int, int], classes: int) -> None:
        self._shape = shape
        self._groups: list[tuple[Path, int, int]] = []  # file, row group, first row of the group within the file
        sizes: list[int] = []
        labels = []
        for file in files:
            counts, y = _labels(file, classes)
            starts = [0, *accumulate(counts)]
            self._groups += [(file, group, start) for group, start in enumerate(starts[:-1])]
            sizes += counts
            labels.append(y)
        self._starts = [0, *accumulate(sizes)]
        self._open: tuple[int, _Encoded] | None = None
        self.y: Array = np.concatenate(labels)

    def read(self, rows: Array) -> Image:
        """Return the pictures at ascending positions, uint8 (n, 3, H, W).

        Raises:
            DataFormatError: If a picture cannot be decoded or has another size; names the file and the row.
        """
        held = [self._encoded(row) for row in rows.tolist()]  # in order: a file is read forward
        return gather(len(held), lambda places: self._pictures([held[i] for i in places]), self._shape)

    def _encoded(self, row: int) -> tuple[bytes, Path, int]:
        """Return an encoded picture, its file and its row there."""
        group = bisect_right(self._starts, row) - 1
        file, number, first = self._groups[group]
        if self._open is None or self._open[0] != group:
            self._open = (group, _Encoded(file, number))
        within = row - self._starts[group]
        return self._open[1].at(within), file, first + within

    def _pictures(self, held: Sequence[tuple[bytes, Path, int]]) -> list[Tensor]:
        def where(i: int) -> str:
            return f"{held[i][1]}: row {held[i][2]}"

        pictures = decode_all([encoded for encoded, _, _ in held], where)
        for i, picture in enumerate(pictures):
            if tuple(picture.shape) != self._shape:
                expected, found = (f"{s[2]} x {s[1]} pixels" for s in (self._shape, picture.shape))
                raise DataFormatError(
                    f"{where(i)}: expected a picture of {expected}, found {found}.", "Copy or download the file again."
                )
        return pictures


class _Encoded:
    """The encoded pictures of one row group: going forward is cheap, going back starts over."""

    def __init__(self, file: Path, group: int) -> None:
        self._file, self._group = file, group
        self._rewind()

    def _rewind(self) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - a run whose data is prepared does without

        self._first: int = 0
        self._held: list[bytes | None] = []
        with _parquet(self._file):
            opened = pq.ParquetFile(self._file)
            self._batches = opened.iter_batches(_ENCODED, row_groups=[self._group], columns=["img.bytes"])

    def at(self, row: int) -> bytes:
        """Return the encoded picture at a row of the group; nothing where the file holds nothing."""
        if row < self._first:
            self._rewind()
        while row >= self._first + len(self._held):
            self._first += len(self._held)
            with _parquet(self._file):
                (column,) = next(self._batches).column("img").flatten()
                self._held = column.to_pylist()
        return self._held[row - self._first] or b""


def _parquet(file: Path) -> AbstractContextManager[None]:
    import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without

    return reading(file, "a whole parquet file", (pa.ArrowException, OSError))


def _labels(file: Path, classes: int) -> tuple[list[int], Array]:
    """Check a file's columns; return its rows per row group and its labels (n,) int64."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - a run whose data is prepared does without

    with _parquet(file), pq.ParquetFile(file) as opened:
        _check_columns(file, opened.schema_arrow)
        y = opened.read(columns=["label"]).column("label").fill_null(-1).to_numpy().astype(np.int64)
        counts = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
    wrong = np.flatnonzero((y < 0) | (y >= classes))
    if len(wrong):
        raise DataFormatError(
            f"{file}: row {wrong[0]}: expected a label from 0 to {classes - 1}, found {y[wrong[0]]}.",
            "Copy or download the file again.",
        )
    return counts, y


def _check_columns(file: Path, schema: Any) -> None:
    import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without

    if not {"img", "label"} <= set(schema.names):
        found = ", ".join(schema.names)
        raise DataFormatError(f"{file}: expected the columns img, label; found {found}.", "Check the data root.")
    image, label = schema.field("img").type, schema.field("label").type
    if not (pa.types.is_struct(image) and image.get_field_index("bytes") >= 0 and pa.types.is_integer(label)):
        raise DataFormatError(
            f"{file}: expected img as a struct with bytes and label as integers; found {image} and {label}.",
            "Check the data root.",
        )
