"""Checks of data sets, on the tiny copy that each writes of itself; an embedded one is checked as it is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbti_core.contracts.dataset import Part, Records
from mbti_core.data.fileref import Digests
from mbti_core.engine.config import DatasetOptions
from mbti_core.errors import DataUnavailableError
from mbti_core.stages.prepare import prepare
from mbti_core.testing.checks.case import Case, Check, expect
from mbti_core.testing.compare import digest, form_problem, rows_of

_MOST = 200
_SHARED = 0.01
_PARTS: tuple[Part, ...] = ("train", "validation", "test")


@contextmanager
def fixture_of(case: Case) -> Iterator[Path]:
    """Give a data root with the tiny copy that a data set writes of itself."""
    with tempfile.TemporaryDirectory(prefix="mbti-check-") as name:
        root = Path(name) / "root"
        root.mkdir()
        case.settings.fixture(root)
        yield root


def _part(case: Case, part: Part, root: Path) -> Records[Any]:
    records = case.settings.load(part, root)
    expect(records is not None, f"there is no {part} part")
    return records  # type: ignore[no-any-return]  # checked above


def reads_its_fixture(case: Case) -> None:
    """``fixture`` writes what ``files`` lists and ``load`` reads: labels (N,) int64, samples of the card's form.

    If this fails: write the fixture in the original layout, and read samples by the positions that are asked for.
    """
    spec = case.settings.card().input
    with fixture_of(case) as root:
        missing = [str(f) for f in case.settings.files(root) if not f.exists()]
        expect(not missing, f"files that don't exist: {', '.join(missing)}")
        for part in ("train", "test"):
            records = _part(case, part, root)
            n = len(records.y)
            expect(n > 0 and records.y.dtype == np.int64 and records.y.ndim == 1, f"{part}: y is {records.y!r}")
            at = np.arange(min(n, _MOST))
            whole, some = records.read(at), at[:: max(1, n // 5)]
            problem = form_problem(whole, whole, spec)
            expect(not problem, f"{part}: {problem}")
            _matches_card(whole, case)
            picked = case.modality.select(whole, torch.from_numpy(some))
            same = rows_of(records.read(some), case.modality) == rows_of(picked, case.modality)
            expect(same, f"{part}: reading rows {some.tolist()} gives other samples than reading all")


def _matches_card(x: Any, case: Case) -> None:
    spec = case.settings.card().input
    if isinstance(x, torch.Tensor):
        expect(str(x.dtype) == f"torch.{spec.dtype}", f"expected {spec.dtype} as on the card, got {x.dtype}")
        shape = tuple(x.shape[1:])
        fits = len(shape) == len(spec.shape) and all(
            want in (None, got) for want, got in zip(spec.shape, shape, strict=True)
        )
        expect(fits, f"expected the shape {spec.shape} as on the card, got {shape}")


def labels_in_range(case: Case) -> None:
    """Every label is a class of the card.

    If this fails: number classes from 0 in the order of ``classes(root)``, by default ``card().classes``.
    """
    with fixture_of(case) as root:
        classes = len(case.settings.classes(root))
        expect(classes > 1, f"expected at least two classes, got {classes}")
        for part in _PARTS:
            records = case.settings.load(part, root)
            if records is not None:
                low, high = int(records.y.min()), int(records.y.max())
                expect(low >= 0 and high < classes, f"{part}: labels from {low} to {high} with {classes} classes")


def fingerprint_stable(case: Case) -> None:
    """The digest of ``files`` doesn't depend on where the data lies, and changes with one byte.

    If this fails: list every file that ``load`` reads, in a fixed order.
    """
    with fixture_of(case) as root:
        files = case.settings.files(root)
        moved = root.parent / "elsewhere"
        shutil.copytree(root, moved)
        before = Digests().of(files)
        expect(Digests().of(case.settings.files(root)) == before, "two calls give two digests")
        expect(Digests().of(case.settings.files(moved)) == before, "another folder gives another digest")
        first = next(f for f in [*files[0].rglob("*"), files[0]] if f.is_file())
        content = bytearray(first.read_bytes())
        content[len(content) // 2] ^= 1
        first.write_bytes(content)
        expect(Digests().of(case.settings.files(root)) != before, f"another byte in {first.name} gives the same digest")


def missing_data_message(case: Case) -> None:
    """Where the data isn't, ``files`` and ``load`` say where they looked and what to do.

    If this fails: raise ``DataUnavailableError(message, hint)`` with the folder in the message.
    """
    with fixture_of(case) as root:
        nowhere = root / "nowhere"
        for name, call in (("files", lambda: case.settings.files(nowhere)), ("load", lambda: _read(case, nowhere))):
            try:
                call()
            except DataUnavailableError as error:
                expect(str(nowhere) in error.message and bool(error.hint), f"{name} says only: {error}")
            else:
                expect(False, f"{name} raises nothing where the data is missing")


def _read(case: Case, root: Path) -> None:
    records = _part(case, "train", root)
    records.read(np.arange(len(records.y))[:1])


def splits_disjoint(case: Case) -> None:
    """Train, reserve and test rows have ids of their own, and (nearly) no sample stands in two parts.

    If this fails: look for rows that ``load`` gives under two parts.
    """
    with fixture_of(case) as root:
        prepared = prepare(case.settings, DatasetOptions(), root, 0, case.modality)
        ids = torch.cat([split.index for split in prepared.parts.values()])
        expect(len(set(ids.tolist())) == len(ids), "one id stands in two parts")
        seen: set[str] = set()
        for name, split in prepared.parts.items():
            rows = torch.arange(min(len(split), _MOST))
            marks = rows_of(split.take(rows), case.modality) if len(rows) else []
            shared = sum(mark in seen for mark in marks)
            expect(shared <= _SHARED * len(rows), f"{shared} of {len(rows)} samples of {name} stand in another part")
            seen |= set(marks)


def same_twice(case: Case) -> None:
    """Reading the same rows twice gives the same samples.

    If this fails: draw nothing while reading; a data set that is generated keys its draws by row.
    """
    with fixture_of(case) as root:
        found = [digest(_part(case, "train", root).read(np.arange(8)), case.modality) for _ in range(2)]
        expect(found[0] == found[1], "two reads differ")


def _on_disk(case: Case) -> bool:
    with fixture_of(case) as root:
        return any(root.iterdir())


CHECKS = (
    Check(reads_its_fixture),
    Check(labels_in_range),
    Check(fingerprint_stable, applies=_on_disk),
    Check(missing_data_message, applies=_on_disk),
    Check(splits_disjoint),
    Check(same_twice),
)
