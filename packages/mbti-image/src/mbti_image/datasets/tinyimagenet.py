"""Tiny-ImageNet in its original layout; the validation part, which has labels, is the test part."""

from __future__ import annotations

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

_FOLDER = "tiny-imagenet-200"
_ANNOTATIONS = "val_annotations.txt"
_ORIGIN = Origin(
    _FOLDER,
    (
        Download(
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            "md5:90528d7ca1a48142e341f4ef8d21d0de",
            248_100_043,
            strip=_FOLDER,
        ),
    ),
)
_FIXTURE = {"n01443537": "goldfish, Carassius auratus", "n02124075": "Egyptian cat", "n04067472": "reel"}


class TinyImageNet(DatasetSource[Image]):
    """110,000 photographs of 64 pixels in 200 classes of ImageNet: 100,000 for training, 10,000 for testing.

    Reads ``tiny-imagenet-200`` below the data root: ``train/<wnid>/images``, ``val/images`` with
    ``val/val_annotations.txt``, ``wnids.txt`` and, for the names of classes, ``words.txt``. Classes stand in the order
    of ``wnids.txt``; those without a training folder are left out, with their rows of ``val``, so that a cut by
    classes is read as it is. Gray photographs (about one in fifty) get three equal channels.

    Args:
        size: Height and width that pictures are resized to.

    Shape: uint8 (B, 3, size, size) in [0, 255].
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    Source: Y. Le, X. Yang, Tiny ImageNet Visual Recognition Challenge, Stanford CS 231N, 2015.
    Deviates: the test part is the original's validation part; the labels of the original test part are not public.
    """

    size: Side = 64

    def card(self) -> Card:
        """Describe Tiny-ImageNet; a mirrored photograph keeps its label."""
        return Card(
            classes=(),
            input=InputSpec((3, self.size, self.size), "uint8", 0, 255),
            licence="that of ImageNet: non-commercial research and education; the pictures belong to their owners",
            citation="Le and Yang, Tiny ImageNet Visual Recognition Challenge, Stanford CS 231N, 2015",
            facts={"mirror": True},
            counts={"train": 100_000, "test": 10_000},
            origin=_ORIGIN,
        )

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the classes' names in words, their wnids where ``words.txt`` is missing or silent."""
        base = self._base(root)
        words = base / "words.txt"
        named = {row[0]: row[1].split(",")[0].strip() for row in rows_of(words, 2, "\t")} if words.is_file() else {}
        return tuple(named.get(wnid, wnid) for wnid in _wnids(base))

    def files(self, root: Path) -> list[Path]:
        """List the folders of both parts, and the files that name the classes."""
        base = self._base(root)
        words = [base / "words.txt"] if (base / "words.txt").is_file() else []
        return [base / "train", base / "val", base / "wnids.txt", *words]

    def load(self, part: Part, root: Path) -> Records[Image] | None:
        """Open a part; there is no validation part beside the one that is tested on."""
        if part == "validation":
            return None
        base = self._base(root)
        return (_train(base) if part == "train" else _test(base)).records(self.size)

    def fixture(self, root: Path) -> None:
        """Write both parts: one color per class, one class in gray; the last class of ``wnids.txt`` has no pictures."""
        base = root / (self.folder or _FOLDER)
        random = np.random.default_rng(0)
        annotations = []
        for c, wnid in enumerate(_FIXTURE):
            _write_pictures(base / "train" / wnid / "images", [f"{wnid}_{n}.JPEG" for n in range(12)], c, random)
            names = [f"val_{6 * c + n}.JPEG" for n in range(6)]
            _write_pictures(base / "val" / "images", names, c, random)
            annotations += [f"{name}\t{wnid}\t0\t0\t63\t63" for name in names]
        absent = "n07920052"
        for name, lines in {
            f"val/{_ANNOTATIONS}": annotations,
            "wnids.txt": [*_FIXTURE, absent],
            "words.txt": [f"{wnid}\t{words}" for wnid, words in _FIXTURE.items()],
        }.items():
            (base / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _base(self, root: Path) -> Path:
        base = root / (self.folder or _FOLDER)
        found = set(listed(base))
        if not found:
            raise not_there("image/tinyimagenet", base, "train, val and wnids.txt")
        missing = [name for name in ("train", "val", "wnids.txt") if name not in found]
        missing += [] if "val" in missing or _ANNOTATIONS in listed(base / "val") else [f"val/{_ANNOTATIONS}"]
        if missing:
            raise not_whole("image/tinyimagenet", base, missing)
        return base


def _wnids(base: Path) -> list[str]:
    """Return the classes that have a training folder, in the order of ``wnids.txt``."""
    order = [row[0] for row in rows_of(base / "wnids.txt", 1)]
    there = set(listed(base / "train"))
    if len(set(order)) < len(order):
        raise DataFormatError(f"{base / 'wnids.txt'}: lists a class twice.", "Copy or download the file again.")
    unknown = sorted(name for name in there - set(order) if (base / "train" / name).is_dir())
    if unknown:
        raise DataFormatError(
            f"{base / 'train' / unknown[0]}: {base / 'wnids.txt'} does not list this class.",
            "Add it there, or move the folder away.",
        )
    return [wnid for wnid in order if wnid in there]


def _train(base: Path) -> Labelled:
    files: list[str] = []
    labels: list[int] = []
    for c, wnid in enumerate(_wnids(base)):
        folder = base / "train" / wnid / "images"
        names = pictures_in(folder)
        check_not_empty(folder, names)
        files += joined(folder, names)
        labels += [c] * len(names)
    return Labelled(files, labels)


def _test(base: Path) -> Labelled:
    annotation, folder = base / "val" / _ANNOTATIONS, base / "val" / "images"
    rows = list(rows_of(annotation, 2, "\t"))
    check_annotated(annotation, [row[0] for row in rows], folder)
    known = {row[0] for row in rows_of(base / "wnids.txt", 1)}
    labels = {wnid: c for c, wnid in enumerate(_wnids(base))}
    for row in rows:
        if row[1] not in known:
            raise DataFormatError(
                f"{annotation}: {row[0]}: the class {row[1]!r} is not in wnids.txt.", "Copy or download it again."
            )
    kept = [(row[0], labels[row[1]]) for row in rows if row[1] in labels]
    return Labelled(joined(folder, (name for name, _ in kept)), [label for _, label in kept])


def _write_pictures(folder: Path, names: list[str], c: int, random: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    color = np.array([60 + 70 * c, 200 - 60 * c, 90])
    for name in names:
        pixels = (color + random.integers(-20, 21, (8, 8, 3))).astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        picture = Picture.fromarray(pixels)
        (picture.convert("L") if c == 2 else picture).save(folder / name, "JPEG", quality=90)
