"""The ready-made modality for samples that are arrays of one shape and type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbti_core.contracts.modality import Column, Modality


@dataclass(frozen=True)
class ArrayColumn:
    """Rows of a memory-mapped array."""

    array: np.ndarray[Any, np.dtype[Any]]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.array)

    def take(self, rows: Tensor) -> Tensor:
        """Return (n, ...) in the storage type, a copy; a run of rows is read in one piece."""
        at = rows.numpy()
        if len(at) and at[-1] - at[0] == len(at) - 1 and bool((np.diff(at) == 1).all()):
            return torch.from_numpy(self.array[at[0] : at[-1] + 1].copy())
        return torch.from_numpy(self.array[at])


@dataclass(frozen=True)
class HeldTensor:
    """Rows of one tensor on the device."""

    data: Tensor

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.data)

    def take(self, rows: Tensor) -> Tensor:
        """Return (n, ...) on the device of ``data``."""
        return self.data[rows.to(self.data.device)]

    def lengths(self) -> Tensor | None:
        """Return None: all rows have one shape."""
        return None


class DenseModality(Modality[Tensor]):
    """Samples as equally shaped arrays, one memory-mapped ``.npy`` per column.

    Args:
        name: Name of the modality.
        summary: One short sentence.
        to_float: Makes the model's float input from a storage-form batch on the device.
    """

    def __init__(self, name: str, summary: str, to_float: Callable[[Tensor], Tensor]) -> None:
        self.name = name
        self.summary = summary
        self._to_float = to_float

    def write(self, batches: Iterable[Tensor], folder: Path, total: int) -> None:
        """Write ``x.npy`` batch by batch; not through a map: there a full disk is a signal and not an error."""
        with (folder / "x.npy").open("wb") as out:
            for at, batch in enumerate(batches):
                rows = np.ascontiguousarray(batch.numpy())
                if at == 0:
                    header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (total, *rows.shape[1:])}
                    np.lib.format.write_array_header_1_0(out, header)
                out.write(rows.data)
            if out.tell() == 0:
                np.save(out, np.zeros((0,), dtype=np.uint8), allow_pickle=False)

    def open(self, folder: Path) -> Column[Tensor]:
        """Open ``x.npy`` memory-mapped."""
        return ArrayColumn(np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False))

    def row_bytes(self, column: Column[Tensor]) -> int:
        """Return the bytes of one row in storage form."""
        return column.take(torch.zeros(1, dtype=torch.int64)).nbytes if len(column) else 1

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Concatenate along the batch axis."""
        return torch.cat(list(parts))

    def select(self, x: Tensor, rows: Tensor) -> Tensor:
        """Index the batch axis."""
        return x[rows]

    def hold(self, column: Column[Tensor], model: nn.Module | None, device: torch.device) -> HeldTensor:
        """Read the column once and put it on the device; nothing to encode."""
        del model
        return HeldTensor(column.take(torch.arange(len(column))).to(device))

    def to_input(self, x: Tensor, device: torch.device) -> Tensor:
        """Return the float batch that the model takes."""
        return self._to_float(x.to(device))
