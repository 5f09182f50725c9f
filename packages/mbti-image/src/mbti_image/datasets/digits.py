"""The handwritten digits that come with scikit-learn: embedded, so they need neither a file nor a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.contracts.model import InputSpec
from mbti_image.sample import Image

SIDE = 16
_TEST_EVERY = 5
_Array = np.ndarray[Any, np.dtype[Any]]


class Digits(DatasetSource[Image]):
    """1,797 handwritten digits: 1,442 for training, 355 for testing, in ten classes.

    The original has 8 x 8 gray levels from 0 to 16. Each of its pixels is repeated 2 x 2: a 3-pixel patch then covers
    3.5 % of a picture rather than 14 %, and a warp by a fraction of a pixel has strokes to bend.

    Shape: uint8 (B, 3, 16, 16) in [0, 255], three equal channels, level v stored as round(255 v / 16).
    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    Deviates: there is no official split, so every fifth row of each class is a test row; writers appear in both parts.
    """

    def card(self) -> Card:
        """Describe the digits; a mirrored digit is another sign, so there is no ``mirror`` fact."""
        return Card(
            classes=tuple("0123456789"),
            input=InputSpec((3, SIDE, SIDE), "uint8", 0, 255),
            licence="CC BY 4.0",
            citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI 1998",
            facts={},
        )

    def files(self, root: Path) -> list[Path]:
        """Return nothing: the data set is embedded."""
        del root
        return []

    def load(self, part: Part, root: Path) -> Records[Image] | None:
        """Open a part; there is no official validation part."""
        del root
        if part == "validation":
            return None
        images, y, tested = _digits()
        rows = np.flatnonzero(tested == (part == "test"))

        def read(at: _Array) -> Image:
            pixels = images[rows[at]].repeat(2, axis=1).repeat(2, axis=2)  # (n, 16, 16)
            return torch.from_numpy(np.repeat(pixels[:, None], 3, axis=1))

        return Records(y[rows], read)

    def fixture(self, root: Path) -> None:
        """Write nothing: the data set is embedded."""


@cache
def _digits() -> tuple[_Array, _Array, _Array]:
    """Return levels (1797, 8, 8) uint8, labels (1797,) int64, and which rows are test rows."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - a run whose data is prepared does without

    levels, y = load_digits(return_X_y=True)
    images = np.rint(levels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    tested = np.zeros(len(y), dtype=bool)
    for c in range(10):
        tested[np.flatnonzero(y == c)[_TEST_EVERY - 1 :: _TEST_EVERY]] = True
    return images, y.astype(np.int64), tested
