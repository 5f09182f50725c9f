"""Read a data set, choose its rows, and set the defender's reserve aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.dataset import DatasetSource, Part, Records
from mbti_core.contracts.modality import Modality
from mbti_core.data.artifacts import PreparedData
from mbti_core.data.choose import stratified_rows
from mbti_core.data.rng import Draws
from mbti_core.data.split import OFFSETS, RecordColumn, Split, clean_kinds
from mbti_core.engine.config import DatasetOptions
from mbti_core.errors import DataUnavailableError


def prepare(
    source: DatasetSource[Any], options: DatasetOptions, root: Path, seed: int, modality: Modality[Any]
) -> PreparedData:
    """Return train, reserve and test parts; samples are decoded as the artifact is written.

    The reserve is stratified by class, a share of the training rows, or the official validation part where there is
    one; with ``options.train`` rows asked for, the reserve is taken beside them in the same proportion.

    Raises:
        DataUnavailableError: If the data set is missing, or has fewer rows than asked for.
        DataFormatError: If a file does not hold what its layout promises.
    """
    draws = Draws(seed).stream("prepare")
    train, test, validation = (source.load(part, root) for part in ("train", "test", "validation"))
    assert train is not None
    assert test is not None
    labels = torch.as_tensor(train.y)
    ids = torch.arange(len(labels))
    reserved = 0.0 if validation is not None else options.reserve
    kept, reserve = _divide(labels, ids, options.train, reserved, draws, type(source).__name__)
    held: tuple[Records[Any], Tensor, Part] = (
        (train, reserve, "train") if validation is None else (validation, torch.arange(len(validation.y)), "validation")
    )
    test_rows = torch.arange(len(test.y))
    if options.test is not None:
        test_rows = stratified_rows(torch.as_tensor(test.y), test_rows, options.test, draws.stream("test"))
    card = source.card()
    parts = {
        "train": _split(train, kept, "train", modality),
        "reserve": _split(*held, modality),
        "test": _split(test, test_rows, "test", modality),
    }
    return PreparedData(parts, tuple(source.classes(root)), card.input, card.facts)


def _divide(
    y: Tensor, ids: Tensor, wanted: int | None, reserve: float, draws: Draws, name: str
) -> tuple[Tensor, Tensor]:
    """Return positions of training and of reserve rows, disjoint, ascending."""
    total = len(y) if wanted is None else round(wanted / (1.0 - reserve))
    if total > len(y):
        most = int(len(y) * (1.0 - reserve))
        raise DataUnavailableError(
            f"dataset.train: expected at most {most} ({name} has {len(y)} training rows, {reserve:.0%} of them are the "
            f"reserve), got {wanted}.",
            f"Set dataset.train to {most} or less, or leave it out.",
        )
    rows = stratified_rows(y, ids, total, draws.stream("train"))
    count = total - wanted if wanted is not None else round(total * reserve)
    aside = rows[stratified_rows(y[rows], ids[rows], count, draws.stream("reserve"))]
    taken = torch.zeros(len(y), dtype=torch.bool)
    taken[aside] = True
    return rows[~taken[rows]], aside


def _split(records: Records[Any], rows: Tensor, part: Part, modality: Modality[Any]) -> Split[Any]:
    labels = torch.as_tensor(records.y)[rows].long()
    column = RecordColumn(records, rows)
    return Split(column, labels, labels, clean_kinds(len(rows)), rows + OFFSETS[part], modality)
