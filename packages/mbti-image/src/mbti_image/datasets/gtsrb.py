"""GTSRB: German traffic signs, in the official layout or in that of torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Part, Records
from mbti_core.contracts.model import InputSpec
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataFormatError
from mbti_image.datasets.labelled import (
    Labelled,
    Side,
    check_annotated,
    check_not_empty,
    joined,
    pictures_in,
    rows_of,
)
from mbti_image.sample import Image

CLASSES = (
    *(f"speed limit {limit}" for limit in (20, 30, 50, 60, 70, 80)),
    "end of speed limit 80",
    "speed limit 100",
    "speed limit 120",
    "no passing",
    "no passing for trucks",
    "right of way at the next crossing",
    "priority road",
    "yield",
    "stop",
    "no vehicles",
    "no trucks",
    "no entry",
    "general caution",
    "dangerous curve to the left",
    "dangerous curve to the right",
    "double curve",
    "bumpy road",
    "slippery road",
    "road narrows on the right",
    "road work",
    "traffic signals",
    "pedestrians",
    "children crossing",
    "bicycles crossing",
    "ice or snow",
    "wild animals",
    "end of all limits",
    "turn right ahead",
    "turn left ahead",
    "ahead only",
    "straight or right",
    "straight or left",
    "keep right",
    "keep left",
    "roundabout",
    "end of no passing",
    "end of no passing for trucks",
)
_TRUTH = "GT-final_test.csv"
_ARCHIVE = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370"
_ORIGIN = Origin(
    "gtsrb",
    (
        Download(
            f"{_ARCHIVE}/GTSRB_Final_Training_Images.zip",
            "md5:f33fd80ac59bff73c82d25ab499e03a3",
            276_294_756,
            strip="GTSRB",
        ),
        Download(
            f"{_ARCHIVE}/GTSRB_Final_Test_Images.zip",
            "md5:c7e4e6327067d32654124b0fe9e82185",
            88_978_620,
            strip="GTSRB",
        ),
        Download(
            f"{_ARCHIVE}/GTSRB_Final_Test_GT.zip", "md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5", 99_620, into="Final_Test"
        ),
    ),
)
_FIXTURE_ROWS = {"train": 2, "test": 1}


@dataclass(frozen=True)
class _Layout:
    train: Path
    test: Path
    truth: Path
    annotated: bool


class Gtsrb(DatasetSource[Image]):
    """51,839 cut-out photographs of German traffic signs in 43 classes: 39,209 for training, 12,630 for testing.

    Looks below the data root in ``gtsrb``, then in ``gtsrb/GTSRB``, for the official layout
    (``Final_Training/Images/000NN/*.ppm`` with a ``GT-000NN.csv`` each), then for torchvision's (``Training/000NN``,
    26,640 pictures of an earlier stage of the competition, labels from the folders). Test pictures are in
    ``Final_Test/Images``; ``GT-final_test.csv`` stands beside them or in a folder above.

    Args:
        size: Pictures of 15 to 250 pixels are resized to this height and width. The region of interest in the
            annotations is not cut out: the sign keeps the border of about a tenth that its photograph has.

    Shape: uint8 (B, 3, size, size) in [0, 255].
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    Source: J. Stallkamp et al., Man vs. computer, Neural Networks 32, 2012.
    """

    size: Side = 32

    def card(self) -> Card:
        """Describe GTSRB; a mirrored traffic sign is another one, or none."""
        return Card(
            classes=CLASSES,
            input=InputSpec((3, self.size, self.size), "uint8", 0, 255),
            licence="none stated in its archives; see https://benchmark.ini.rub.de",
            citation="Stallkamp, Schlipsing, Salmen and Igel, Man vs. computer, Neural Networks 32, 2012",
            facts={"mirror": False},
            counts={"train": 39_209, "test": 12_630},
            origin=_ORIGIN,
        )

    def files(self, root: Path) -> list[Path]:
        """List the folders of both parts, and the labels of the test part."""
        layout = self._layout(root)
        return [layout.train, layout.test, layout.truth]

    def load(self, part: Part, root: Path) -> Records[Image] | None:
        """Open a part; there is no official validation part."""
        if part == "validation":
            return None
        layout = self._layout(root)
        return (_train(layout) if part == "train" else _test(layout)).records(self.size)

    def fixture(self, root: Path) -> None:
        """Write both parts in the official layout: one color per class, sizes that differ."""
        base = root / (self.folder or "gtsrb")
        random = np.random.default_rng(0)
        rows: list[str] = []
        for c in range(len(CLASSES)):
            folder = base / "Final_Training" / "Images" / f"{c:05d}"
            names = [f"00000_{n:05d}.ppm" for n in range(_FIXTURE_ROWS["train"])]
            _write_signs(folder, names, c, random)
            _write_truth(folder / f"GT-{c:05d}.csv", [(name, c) for name in names])
            _write_signs(base / "Final_Test" / "Images", [f"{len(rows):05d}.ppm"], c, random)
            rows.append(f"{len(rows):05d}.ppm")
        _write_truth(base / "Final_Test" / _TRUTH, list(zip(rows, range(len(CLASSES)), strict=True)))

    def _layout(self, root: Path) -> _Layout:
        base = root / (self.folder or "gtsrb")
        for home in (base, base / "GTSRB"):
            for train, annotated in ((home / "Final_Training" / "Images", True), (home / "Training", False)):
                if listed(train):
                    return _whole(base, train, home / "Final_Test", annotated=annotated)
        raise not_there("image/gtsrb", base, "Final_Training/Images and no GTSRB/Training")


def _whole(base: Path, train: Path, test: Path, *, annotated: bool) -> _Layout:
    truth = next((f / _TRUTH for f in (test, test / "Images", test.parent, base) if _TRUTH in listed(f)), None)
    folders = set(listed(train))
    missing = [f"{train.name}/{c:05d}" for c in range(len(CLASSES)) if f"{c:05d}" not in folders]
    missing += [] if listed(test / "Images") else ["Final_Test/Images"]
    if missing or truth is None:
        raise not_whole("image/gtsrb", base, [*missing, *([_TRUTH] if truth is None else [])])
    return _Layout(train, test / "Images", truth, annotated)


def _train(layout: _Layout) -> Labelled:
    files: list[str] = []
    labels: list[int] = []
    for c in range(len(CLASSES)):
        folder = layout.train / f"{c:05d}"
        names = _annotated(folder / f"GT-{c:05d}.csv", folder, c)[0] if layout.annotated else pictures_in(folder)
        check_not_empty(folder, names)
        files += joined(folder, names)
        labels += [c] * len(names)
    return Labelled(files, labels)


def _test(layout: _Layout) -> Labelled:
    names, labels = _annotated(layout.truth, layout.test)
    return Labelled(joined(layout.test, names), labels)


def _annotated(annotation: Path, folder: Path, expected: int | None = None) -> tuple[list[str], list[int]]:
    """Return the names and classes that a csv file lists; ``expected`` is the class that all must have."""
    lines = rows_of(annotation, 8, ";")
    header, rows = next(lines, []), list(lines)
    if not {"Filename", "ClassId"} <= set(header):
        raise DataFormatError(
            f"{annotation}: expected the columns Filename and ClassId, found {'; '.join(header) or 'nothing'}.",
            "Copy or download the file again.",
        )
    name, label = header.index("Filename"), header.index("ClassId")
    possible = {str(c): c for c in (range(len(CLASSES)) if expected is None else [expected])}
    for row in rows:
        if row[label] not in possible:
            wanted = "a class from 0 to 42" if expected is None else f"class {expected}, as its folder says"
            raise DataFormatError(
                f"{annotation}: {row[name]}: expected {wanted}, found {row[label]!r}.",
                "Copy or download the file again.",
            )
    names = [row[name] for row in rows]
    check_annotated(annotation, names, folder)
    return names, [possible[row[label]] for row in rows]


def _write_signs(folder: Path, names: list[str], c: int, random: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    color = np.array([37 * c % 200 + 28, 91 * c % 200 + 28, 150])
    for n, name in enumerate(names):
        height, width = 24 + c % 16, 28 + 3 * n
        pixels = (color + random.integers(-20, 21, (height, width, 3))).astype(np.uint8)
        Picture.fromarray(pixels).save(folder / name)


def _write_truth(path: Path, rows: list[tuple[str, int]]) -> None:
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"
    path.write_text("\n".join([header, *(f"{name};30;30;5;5;25;25;{c}" for name, c in rows)]) + "\n", encoding="utf-8")
