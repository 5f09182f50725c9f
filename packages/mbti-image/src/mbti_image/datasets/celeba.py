"""CelebA: faces, in eight classes made of three attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image as Picture
from pydantic import AfterValidator, Field

from mbti_core.contracts.dataset import Card, DatasetSource, Origin, Part, Records
from mbti_core.contracts.model import InputSpec
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataFormatError, near_names
from mbti_image.datasets.labelled import Labelled, Side, check_annotated, joined, rows_of
from mbti_image.sample import Image

ATTRIBUTES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
_PICTURES, _ATTRIBUTES, _PARTITION = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"
_PLACES = {_PICTURES: ("", "Img"), _ATTRIBUTES: ("", "Anno"), _PARTITION: ("", "Eval")}
_PARTS = {"train": "0", "validation": "1", "test": "2"}
_ORIGIN = Origin(
    "celeba",
    by_hand="From the Google Drive of https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html get img_align_celeba.zip (and "
    "unpack it), list_attr_celeba.txt and list_eval_partition.txt, and put them into celeba below the data root.",
)
_FIXTURE_ROWS = {"train": 48, "validation": 16, "test": 16}


def _known(name: str) -> str:
    if name not in ATTRIBUTES:
        raise ValueError(f"an attribute of CelebA. {near_names(name, ATTRIBUTES)}".strip())
    return name


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each attribute once")
    return names


Attributes = Annotated[
    tuple[Annotated[str, AfterValidator(_known)], ...], Field(min_length=1, max_length=6), AfterValidator(_distinct)
]
"""Names of attributes, the one that counts most first."""


class CelebA(DatasetSource[Image]):
    """202,599 aligned faces of celebrities: 162,770 for training, 19,867 for validation, 19,962 for testing.

    Reads ``img_align_celeba``, ``list_attr_celeba.txt`` and ``list_eval_partition.txt`` in ``celeba`` below the data
    root, or in the folders ``Img``, ``Anno`` and ``Eval`` of the published one. Partition 1 is the validation part:
    the defender's reserve.

    Args:
        attributes: Make the classes, as the digits of a binary number do: with the three that the field uses, a class
            is 4 * Heavy_Makeup + 2 * Mouth_Slightly_Open + Smiling. The order stands here and not in a table of
            columns, because the published codes count columns differently.
        size: Pictures of 178 x 218 pixels are resized to this height and width, stretched to a square as the field
            does, without a crop.

    Shape: uint8 (B, 3, size, size) in [0, 255].
    Raises: DataUnavailableError, DataFormatError: With the file at fault.
    Source: Z. Liu et al., Deep Learning Face Attributes in the Wild, ICCV 2015.
    """

    attributes: Attributes = ("Heavy_Makeup", "Mouth_Slightly_Open", "Smiling")
    size: Side = 64

    def card(self) -> Card:
        """Describe CelebA; a mirrored face keeps its attributes."""
        bits = len(self.attributes)
        chosen = [
            [name for bit, name in enumerate(self.attributes) if c >> (bits - 1 - bit) & 1] for c in range(1 << bits)
        ]
        return Card(
            classes=tuple("+".join(names) or "none" for names in chosen),
            input=InputSpec((3, self.size, self.size), "uint8", 0, 255),
            licence="non-commercial research only; no pictures may be passed on (agreement on its page)",
            citation="Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, ICCV 2015",
            facts={"mirror": True},
            counts={"train": 162_770, "validation": 19_867, "test": 19_962},
            origin=_ORIGIN,
        )

    def files(self, root: Path) -> list[Path]:
        """List the folder of pictures, the attributes and the partition."""
        return list(self._layout(root).values())

    def load(self, part: Part, root: Path) -> Records[Image] | None:
        """Open a part, by the official partition."""
        layout = self._layout(root)
        partition = _partition(layout[_PARTITION])
        labels = self._labels(layout[_ATTRIBUTES])
        check_annotated(layout[_ATTRIBUTES], list(labels), layout[_PICTURES])
        _check_same(labels, partition, layout)
        names = [name for name in labels if partition[name] == _PARTS[part]]
        if not names:
            raise DataFormatError(
                f"{layout[_PARTITION]}: no picture is in partition {_PARTS[part]}, the {part} part.",
                "Copy or download the file again.",
            )
        return Labelled(joined(layout[_PICTURES], names), [labels[name] for name in names]).records(self.size)

    def fixture(self, root: Path) -> None:
        """Write all parts: gray levels by class, with some noise, as JPEG of 22 x 27 pixels."""
        base = root / (self.folder or "celeba")
        (base / _PICTURES).mkdir(parents=True)
        random = np.random.default_rng(0)
        bits, lines, parts = len(self.attributes), [], []
        for n, part in enumerate(part for part, count in _FIXTURE_ROWS.items() for _ in range(count)):
            c, name = n % (1 << bits), f"{n + 1:06d}.jpg"
            pixels = (40 + 24 * c + random.integers(-12, 13, (27, 22, 3))).astype(np.uint8)
            Picture.fromarray(pixels).save(base / _PICTURES / name, quality=90)
            on = {a for bit, a in enumerate(self.attributes) if c >> (bits - 1 - bit) & 1}
            lines.append(" ".join([name, *(" 1" if a in on else "-1" for a in ATTRIBUTES)]))
            parts.append(f"{name} {_PARTS[part]}")
        head = [str(len(lines)), " ".join(ATTRIBUTES) + " "]
        (base / _ATTRIBUTES).write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        (base / _PARTITION).write_text("\n".join(parts) + "\n", encoding="utf-8")

    def _layout(self, root: Path) -> dict[str, Path]:
        base = root / (self.folder or "celeba")
        found = {
            name: folder / name
            for name, places in _PLACES.items()
            for folder in (base / place for place in reversed(places))
            if name in listed(folder)
        }
        if not found:
            raise not_there("image/celeba", base, f"{_PICTURES}, and no {_ATTRIBUTES}")
        if len(found) < len(_PLACES):
            raise not_whole("image/celeba", base, [name for name in _PLACES if name not in found])
        return found

    def _labels(self, path: Path) -> dict[str, int]:
        """Return the class of each picture that the attribute file lists, in its order."""
        rows = rows_of(path, 1)
        count, header = next(rows, ["nothing"])[0], next(rows, [])
        if not set(self.attributes) <= set(header):
            raise DataFormatError(
                f"{path}: expected {', '.join(self.attributes)} among the attributes on the second line.",
                "Copy or download the file again.",
            )
        columns = [header.index(a) + 1 for a in self.attributes]
        labels: dict[str, int] = {}
        for row in rows:
            values = [row[at] if at < len(row) else "nothing" for at in columns]
            if row[0] in labels or not set(values) <= {"1", "-1"}:
                what = "stands there twice" if row[0] in labels else f"expected 1 or -1, found {' '.join(values)}"
                raise DataFormatError(f"{path}: {row[0]}: {what}.", "Copy or download the file again.")
            labels[row[0]] = sum((value == "1") << bit for bit, value in enumerate(reversed(values)))
        if count != str(len(labels)):
            raise DataFormatError(
                f"{path}: expected {count} rows, as its first line says, found {len(labels)}.",
                "Copy or download the file again.",
            )
        return labels


def _partition(path: Path) -> dict[str, str]:
    partition: dict[str, str] = {}
    for name, number, *_ in rows_of(path, 2):
        if name in partition or number not in _PARTS.values():
            what = "stands there twice" if name in partition else f"expected 0, 1 or 2, found {number!r}"
            raise DataFormatError(f"{path}: {name}: {what}.", "Copy or download the file again.")
        partition[name] = number
    return partition


def _check_same(labels: dict[str, int], partition: dict[str, str], layout: dict[str, Path]) -> None:
    for here, there, name in ((labels, partition, _PARTITION), (partition, labels, _ATTRIBUTES)):
        lost = next((picture for picture in here if picture not in there), None)
        if lost:
            raise DataFormatError(f"{layout[name]}: has no row for {lost}.", "Copy or download the file again.")
