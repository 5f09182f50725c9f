"""Label noise by a confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import field_validator
from torch import Tensor

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.data.choose import largest_remainder
from mbti_core.data.fileref import FileRef
from mbti_core.errors import ConfigError, DataFormatError

_TOLERANCE = 1e-3  # of a row's sum; a published matrix has two or three digits
Matrix = tuple[tuple[float, ...], ...]


class Confusion(Noise[Tensor]):
    """Change labels as a confusion matrix says; nobody attacks yet.

    Row c of ``matrix`` holds the shares of class c that get each label. It is a list of rows, or a CSV file of
    numbers without a heading; without one, every other class is alike. It holds among the rows that the stage's
    ``share`` chooses, so a matrix that was measured on a whole data set goes with ``share: 1``.

    Counts are those of the matrix, rounded by the largest remainder; which rows they fall on is drawn.

    Shape: (B,) int64 labels in [0, C); ``matrix`` C x C, shares in [0, 1].
    Raises: ConfigError, DataFormatError: If the matrix is of another size, or no matrix of shares.
    Source: Patrini et al. 2017: the transition matrix T of class-conditional noise.
    Deviates: exact counts, where a row's label is usually drawn by itself.
    """

    on: ClassVar[Literal["x", "y"]] = "y"

    matrix: FileRef | Matrix | None = None

    @field_validator("matrix")
    @classmethod
    def _of_shares(cls, value: str | Matrix | None) -> str | Matrix | None:
        if isinstance(value, tuple) and (problem := _problem(value)):
            raise ValueError(f"a square matrix of shares whose rows sum to 1 ({problem})")
        return value

    def apply(self, x: Tensor, ctx: NoiseContext) -> Tensor:
        """Return the labels that the matrix gives."""
        shares, draws, y = self._shares(ctx.classes), ctx.draws.stream("confusion"), x.clone()
        for c, row in enumerate(shares):
            rows = torch.nonzero(x == c).flatten()
            order = torch.argsort(draws.bits(ctx.index[rows]), stable=True)
            counts = largest_remainder(row * len(rows), len(rows))
            y[rows[order]] = torch.arange(ctx.classes).repeat_interleave(counts)
        return y

    def _shares(self, classes: int) -> Tensor:
        """Return the matrix as (C, C) float64, rows of sum 1."""
        if self.matrix is None:
            return (1 - torch.eye(classes, dtype=torch.float64)) / max(1, classes - 1)
        rows = _read(Path(self.matrix)) if isinstance(self.matrix, str) else self.matrix
        if len(rows) != classes:
            raise ConfigError(
                f"noise.matrix: expected {classes} x {classes} shares, a row per class, got {len(rows)} x {len(rows)}.",
                "Give a row to each class of the data set, in its order.",
            )
        shares = torch.tensor(rows, dtype=torch.float64)
        return shares / shares.sum(1, keepdim=True)


def _problem(rows: Matrix) -> str:
    """Say what keeps rows from being a matrix of shares; empty if nothing."""
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows):
            return f"{len(rows)} rows, and {len(row)} numbers in row {number}"
        if wrong := [share for share in row if not share >= 0]:
            return f"row {number} holds {wrong[0]:g}"
        if not abs(sum(row) - 1) <= _TOLERANCE:
            return f"row {number} sums to {sum(row):g}"
    return "" if rows else "no rows"


def _read(path: Path) -> Matrix:
    wanted, advice = "a square matrix of shares whose rows sum to 1", "Write one line per class, with commas."
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path}: expected {wanted}; it cannot be read as text.", advice) from error
    rows: list[tuple[float, ...]] = []
    for number, line in enumerate(lines, 1):
        try:
            rows += [tuple(float(cell) for cell in line.split(","))] if line.strip() else []
        except ValueError as error:
            raise DataFormatError(f"{path}:{number}: expected {wanted}; {error}.", advice) from error
    if problem := _problem(tuple(rows)):
        raise DataFormatError(f"{path}: expected {wanted}; {problem}.", advice)
    return tuple(rows)
