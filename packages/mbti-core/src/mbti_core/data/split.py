"""A split is columns, not a list of objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from mbti_core.contracts.attack import RowKind
from mbti_core.contracts.dataset import Part, Records
from mbti_core.contracts.modality import Column, Modality

X = TypeVar("X")
OFFSETS: Mapping[Part, int] = {"train": 0, "validation": 1 << 40, "test": 1 << 41}
"""Row ids of a part start here."""
CHUNK_BYTES = 1 << 20  # measured: larger chunks leave the cache and make float work up to six times slower


@dataclass(frozen=True)
class Split(Generic[X]):
    """Samples with their labels and ids.

    Attributes:
        column: Memory-mapped samples, with changed rows laid over where a stage changed some.
        labels: (N,) int64, the label used for training (``y``).
        truth: (N,) int64, the true label (``y_true``).
        kind: (N,) uint8, ``RowKind``.
        index: (N,) int64, stable ids.
        modality: How samples are stored and joined.
    """

    column: Column[X]
    labels: Tensor
    truth: Tensor
    kind: Tensor
    index: Tensor
    modality: Modality[X]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)

    def take(self, rows: Tensor) -> X:
        """Return the samples at positions ``rows`` in storage form; a copy."""
        return self.column.take(rows)

    def chunks(self, rows: Tensor | None = None) -> Iterator[Tensor]:
        """Walk positions in chunks of about 1 MB of samples, so that peak memory does not grow with the split."""
        rows = torch.arange(len(self)) if rows is None else rows
        yield from batches(rows, max(1, CHUNK_BYTES // max(1, self.modality.row_bytes(self.column))))

    def subset(self, rows: Tensor) -> Split[X]:
        """Return the split of the given positions, as a view."""
        return replace(
            self,
            column=ViewColumn(self.column, rows),
            labels=self.labels[rows],
            truth=self.truth[rows],
            kind=self.kind[rows],
            index=self.index[rows],
        )


@dataclass(frozen=True)
class RecordColumn(Generic[X]):
    """Rows of original files, decoded when taken."""

    records: Records[X]
    rows: Tensor

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def take(self, rows: Tensor) -> X:
        """Return the batch at ascending positions ``rows``."""
        return self.records.read(self.rows[rows].numpy())


@dataclass(frozen=True)
class ViewColumn(Generic[X]):
    """Some rows of another column."""

    base: Column[X]
    rows: Tensor

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def take(self, rows: Tensor) -> X:
        """Return the batch at positions ``rows``."""
        return self.base.take(self.rows[rows])


@dataclass(frozen=True)
class OverlayColumn(Generic[X]):
    """A column with some rows replaced: what a corrupted or poisoned split stores is only those.

    Attributes:
        base: The parent's column.
        changed: The replaced samples.
        slot: (N,) int64, position in ``changed`` or -1.
        modality: Knows how to join batches.
    """

    base: Column[X]
    changed: Column[X]
    slot: Tensor
    modality: Modality[X]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.slot)

    def take(self, rows: Tensor) -> X:
        """Return the batch at positions ``rows``, from the parent or from the changed rows."""
        slot = self.slot[rows]
        old, new = torch.nonzero(slot < 0).flatten(), torch.nonzero(slot >= 0).flatten()
        if not len(new):
            return self.base.take(rows)
        if not len(old):
            return self.changed.take(slot)
        joined = self.modality.join([self.base.take(rows[old]), self.changed.take(slot[new])])
        order = torch.argsort(torch.cat([old, new]))
        return self.modality.select(joined, order)


@dataclass(frozen=True)
class MappedColumn(Generic[X]):
    """A column computed as it is read: ``change(batch, rows)`` on each batch of ``base``.

    A stage returns one instead of filled memory; writing it walks it in chunks.
    """

    base: Column[X]
    change: Callable[[X, Tensor], X]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.base)

    def take(self, rows: Tensor) -> X:
        """Return the changed batch at positions ``rows``."""
        return self.change(self.base.take(rows), rows)


def batches(rows: Tensor, size: int) -> Iterator[Tensor]:
    """Yield positions ``size`` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def clean_kinds(n: int) -> Tensor:
    """Return (n,) uint8 of ``RowKind.CLEAN``."""
    return torch.full((n,), int(RowKind.CLEAN), dtype=torch.uint8)


def place_of(row: int) -> tuple[Part, int]:
    """Return the part that a row id belongs to, and the row's place in the original part."""
    part = max((name for name, offset in OFFSETS.items() if row >= offset), key=OFFSETS.__getitem__)
    return part, row - OFFSETS[part]
