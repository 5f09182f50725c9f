"""Anyone's own pictures: one folder per class."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image as Picture
from pydantic import Field

from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.contracts.model import InputSpec
from mbti_core.data.reading import listed
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.datasets.labelled import SUFFIXES, Labelled, Side, check_not_empty, joined, pictures_below, pictures_in
from mbti_image.sample import Image

_FIXTURE_ROWS = {"train": 12, "test": 6}


class ImageFolder(DatasetSource[Image]):
    """Pictures of your own: ``train/<class>/*`` and ``test/<class>/*`` in a folder below the data root.

    ``folder`` names that folder; it may be an absolute path. Classes are the folders in ``train``, sorted by name.
    Files that end in .png, .jpg, .jpeg, .ppm, .bmp or .webp are pictures, in folders inside a class too; others, and
    names that start with a dot, are passed over. Without ``test``, a share of each class is split off by a hash of the
    pictures' paths within the folder: which they are depends neither on a seed nor on the other pictures' content.

    Args:
        size: Height and width that pictures are resized to, stretched where they are no squares.
        test_share: Share of each class that is split off for testing where there is no folder ``test``; at least one
            picture is.
        mirror: Whether a mirrored picture keeps its label, so that training may mirror it: true for animals, false
            for signs and letters.

    Shape: uint8 (B, 3, size, size) in [0, 255].
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    """

    size: Side = 32
    test_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    mirror: bool = False

    def card(self) -> Card:
        """Describe what is known without reading: the size."""
        return Card(
            classes=(),
            input=InputSpec((3, self.size, self.size), "uint8", 0, 255),
            licence="that of your pictures",
            citation="",
            facts={"mirror": self.mirror},
        )

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the names of the folders in ``train``."""
        train = self._train(root)
        found = _class_folders(train)
        if len(found) < 2:
            raise DataFormatError(
                f"{train}: expected a folder per class, at least two, found {len(found)}.",
                "Put the pictures of each class into a folder of its own there.",
            )
        return tuple(found)

    def files(self, root: Path) -> list[Path]:
        """List the folder of each part."""
        train = self._train(root)
        return [part for part in (train, train.with_name("test")) if part.is_dir()]

    def load(self, part: Part, root: Path) -> Records[Image] | None:
        """Open a part; there is no validation part."""
        if part == "validation":
            return None
        train, names = self._train(root), self.classes(root)
        apart = train.with_name("test")
        if apart.is_dir():
            return _labelled(train if part == "train" else apart, names).records(self.size)
        return self._share(_labelled(train, names), train, part).records(self.size)

    def fixture(self, root: Path) -> None:
        """Write two classes in both parts, each picture in another format and size."""
        random = np.random.default_rng(0)
        for part, count in _FIXTURE_ROWS.items():
            for name, level in (("bright", 200), ("dark", 60)):
                folder = root / (self.folder or "imagefolder") / part / name
                folder.mkdir(parents=True)
                for n in range(count):
                    pixels = (level + random.integers(-40, 41, (40 + n, 36, 3))).astype(np.uint8)
                    Picture.fromarray(pixels).save(folder / f"{n:02d}{SUFFIXES[n % len(SUFFIXES)]}")

    def _train(self, root: Path) -> Path:
        base = root / (self.folder or "imagefolder")
        if "train" not in listed(base):
            raise DataUnavailableError(
                f"There is no folder train in {base}.",
                "Put pictures into train/<class> there, or name their folder with dataset.folder.",
            )
        return base / "train"

    def _share(self, whole: Labelled, train: Path, part: Part) -> Labelled:
        """Return the rows of a part where ``test`` is split off ``train``."""
        marks = [hashlib.sha256(Path(f).relative_to(train).as_posix().encode()).digest() for f in whole.files]
        tested: set[int] = set()
        for c in set(whole.labels):
            rows = sorted((row for row, label in enumerate(whole.labels) if label == c), key=lambda row: marks[row])
            tested.update(rows[: max(1, round(self.test_share * len(rows)))])
        rows = [row for row in range(len(whole.files)) if (row in tested) == (part == "test")]
        if len({whole.labels[row] for row in rows}) < len(set(whole.labels)):
            raise DataFormatError(
                f"{train}: a class has too few pictures to split off {self.test_share:.0%} for testing.",
                "Add pictures, or put test pictures into a folder test beside it.",
            )
        return Labelled([whole.files[row] for row in rows], [whole.labels[row] for row in rows])


def _class_folders(folder: Path) -> list[str]:
    return [name for name in listed(folder) if not name.startswith(".") and (folder / name).is_dir()]


def _labelled(folder: Path, classes: tuple[str, ...]) -> Labelled:
    strays = pictures_in(folder)
    if strays:
        raise DataFormatError(f"{folder / strays[0]} lies in no class.", "Move it into the folder of its class.")
    files: list[str] = []
    labels: list[int] = []
    for name in _class_folders(folder):
        if name not in classes:
            raise DataFormatError(
                f"{folder / name}: there is no class {name!r} in {folder.with_name('train')}.",
                "Rename the folder, or add training pictures of the class.",
            )
        names = pictures_below(folder / name)
        check_not_empty(folder / name, names)
        files += joined(folder / name, names)
        labels += [classes.index(name)] * len(names)
    return Labelled(files, labels)
