"""CIFAR's original python batches: pickled dictionaries, read by an unpickler that builds arrays and nothing else."""

from __future__ import annotations

import pickle
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, TypeGuard

import numpy as np
import torch

from mbti_core.data.reading import reading
from mbti_core.errors import DataFormatError
from mbti_image.sample import Image

Array = np.ndarray[Any, np.dtype[Any]]


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, by which Python 3 pickles bytes; any other codec would be code to run."""
    if encoding != "latin1":
        raise ValueError(f"bytes are pickled as latin1, not as {encoding}")
    return text.encode("latin1")


_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,  # numpy 1, which wrote the original files
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


class _Unpickler(pickle.Unpickler):
    """Looks up what arrays and bytes need; a pickle that asks for anything else is not read on."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        super().__init__(stream, encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed global."""
        if (module, name) not in _ALLOWED:
            raise DataFormatError(
                f"{self._path}: asks for {module}.{name}, which a batch of pictures has no use for.",
                "The file may run code when another program opens it. Delete it, and copy the original again.",
            )
        return _ALLOWED[module, name]


def load_batch(path: Path) -> tuple[Array, Array]:
    """Read one batch: pixels (n, 3, 32, 32) uint8, labels (n,) int64.

    Raises:
        DataUnavailableError: If the file may not be read.
        DataFormatError: If it asks for a global that is not allowed, is damaged, or holds something else.
    """
    with reading(path, "a whole pickled batch", (Exception,)), path.open("rb") as stream:
        held = _Unpickler(stream, path).load()
    data, labels = (held.get(b"data"), held.get(b"labels")) if isinstance(held, dict) else (None, None)
    if not _pixels_of(data) or not _labels_of(labels, len(data)):
        raise DataFormatError(
            f"{path}: expected data, uint8 (n, 3072), and labels, n integers from 0 to 9; found something else.",
            "Copy or download the file again.",
        )
    return data.reshape(-1, 3, 32, 32), np.array(labels, dtype=np.int64)


def _pixels_of(data: Any) -> TypeGuard[Array]:
    return isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.shape[1:] == (3072,)


def _labels_of(labels: Any, n: int) -> bool:
    return isinstance(labels, list) and len(labels) == n and all(type(v) is int and 0 <= v < 10 for v in labels)


class BatchImages:
    """One part of CIFAR-10 over its batch files; only the file at hand is in memory.

    Args:
        files: The part's files, in order.

    Raises:
        DataUnavailableError: If a file may not be read.
        DataFormatError: As ``load_batch``.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = list(files)
        labels = [load_batch(file)[1] for file in files]
        self._starts = [0, *accumulate(map(len, labels))]
        self._held: tuple[int, Array | None] = (-1, None)
        self.y: Array = np.concatenate(labels)

    def read(self, rows: Array) -> Image:
        """Return the pictures at ascending positions, uint8 (n, 3, 32, 32)."""
        of = np.array([bisect_right(self._starts, row) - 1 for row in rows.tolist()], dtype=np.int64)
        parts = [self._pixels(n)[rows[of == n] - self._starts[n]] for n in np.unique(of).tolist()]
        return torch.from_numpy(np.concatenate(parts) if parts else np.zeros((0, 3, 32, 32), np.uint8))

    def _pixels(self, number: int) -> Array:
        if self._held[0] != number or self._held[1] is None:
            self._held = (-1, None)  # frees the last file before the next is read
            self._held = (number, load_batch(self._files[number])[0])
        pixels = self._held[1]
        assert pixels is not None
        return pixels
