"""CelebA: classes from attributes, the official partition, and what can be wrong with a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from pydantic import ValidationError

from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.datasets.celeba import ATTRIBUTES, CelebA


@pytest.fixture
def base(tmp_path: Path) -> Path:
    CelebA().fixture(tmp_path)
    return tmp_path / "celeba"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[torch.Tensor]:
    records = CelebA(**settings).load(part, base.parent)
    assert records is not None
    return records


def refused(base: Path) -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(base)
    assert caught.value.hint
    return caught.value.message


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def by_hand(base: Path, name: str, attributes: tuple[str, ...]) -> list[int]:
    """Return a picture's attributes as 0 or 1, read by pandas-like means of the test's own."""
    lines = (base / "list_attr_celeba.txt").read_text().splitlines()
    row = next(line.split() for line in lines if line.startswith(name))
    named = dict(zip(lines[1].split(), row[1:], strict=True))
    return [int(named[a] == "1") for a in attributes]


def test_a_class_is_a_binary_number(base: Path) -> None:
    makeup, mouth, smiling = np.array(
        [by_hand(base, f"{n:06d}.jpg", ("Heavy_Makeup", "Mouth_Slightly_Open", "Smiling")) for n in range(1, 49)]
    ).T
    np.testing.assert_array_equal(opened(base).y, 4 * makeup + 2 * mouth + smiling)
    np.testing.assert_array_equal(opened(base, attributes=("Smiling", "Heavy_Makeup")).y, 2 * smiling + makeup)


def test_class_names() -> None:
    names = CelebA().card().classes
    assert len(set(names)) == 8
    assert (names[0], names[1], names[4], names[7]) == (
        "none",
        "Smiling",
        "Heavy_Makeup",
        "Heavy_Makeup+Mouth_Slightly_Open+Smiling",
    )


@pytest.mark.parametrize(
    ("attributes", "said"), [((), "at least 1"), (("Smilling",), "Did you mean Smiling"), (("Male", "Male"), "once")]
)
def test_attributes_that_there_are_not(attributes: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CelebA(attributes=attributes)


def test_the_parts_follow_the_partition(base: Path) -> None:
    assert [len(opened(base, part).y) for part in ("train", "validation", "test")] == [48, 16, 16]
    edit(base / "list_eval_partition.txt", "000001.jpg 0", "000001.jpg 2")
    whole = opened(base, "test").read(np.arange(17))
    moved = np.array(Picture.open(base / "img_align_celeba/000001.jpg").resize((64, 64), Picture.Resampling.BILINEAR))
    assert np.abs(whole[0].permute(1, 2, 0).numpy().astype(int) - moved.astype(int)).max() <= 1


def test_the_published_folders(base: Path) -> None:
    expected = opened(base).read(np.arange(48))
    for folder, name in (
        ("Img", "img_align_celeba"),
        ("Anno", "list_attr_celeba.txt"),
        ("Eval", "list_eval_partition.txt"),
    ):
        (base / folder).mkdir()
        (base / name).rename(base / folder / name)
    assert torch.equal(opened(base).read(np.arange(48)), expected)


@pytest.mark.parametrize("name", ["list_eval_partition.txt", "list_attr_celeba.txt"])
def test_a_missing_file(base: Path, name: str) -> None:
    (base / name).unlink()
    with pytest.raises(DataUnavailableError) as caught:
        CelebA().files(base.parent)
    assert caught.value.message == f"celeba is not whole in {base}; missing: {name}."
    assert "mbti fetch dataset image/celeba" in caught.value.hint


def test_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=f"celeba is not in {tmp_path / 'celeba'}"):
        CelebA().files(tmp_path)


def test_a_partition_that_is_not_of_these_pictures(base: Path) -> None:
    file = base / "list_eval_partition.txt"
    text = file.read_text()
    file.write_text(text.replace("000009.jpg 0\n", ""))
    assert refused(base) == f"{file}: has no row for 000009.jpg."
    file.write_text(text.replace("000009.jpg 0\n", "000009.jpg 3\n"))
    assert refused(base) == f"{file}: 000009.jpg: expected 0, 1 or 2, found '3'."
    file.write_text(text + "000009.jpg 0\n")
    assert refused(base) == f"{file}: 000009.jpg: stands there twice."
    file.write_text(text + "999999.jpg 0\n")
    assert refused(base) == f"{base / 'list_attr_celeba.txt'}: has no row for 999999.jpg."
    file.write_text(text.replace(" 0\n", " 1\n"))
    assert refused(base) == f"{file}: no picture is in partition 0, the train part."


def test_attributes_that_do_not_go_with_the_pictures(base: Path) -> None:
    file, pictures = base / "list_attr_celeba.txt", base / "img_align_celeba"
    text = file.read_text()
    (pictures / "000005.jpg").rename(pictures / "000999.jpg")
    assert refused(base).startswith(f"{file}: lists 000005.jpg, which is not in {pictures}")
    (pictures / "000999.jpg").rename(pictures / "000005.jpg")
    row = next(line for line in text.splitlines() if line.startswith("000005"))
    file.write_text(text.replace("80\n", "79\n", 1).replace(row + "\n", ""))
    assert refused(base) == f"{pictures}: holds 000005.jpg, which {file} does not list."
    file.write_text(text.replace(row, row.replace("000005", "000004")))
    assert refused(base) == f"{file}: 000004.jpg: stands there twice."
    file.write_text(text.replace(row, "000005.jpg -1 -1"))
    assert refused(base).startswith(f"{file}: 000005.jpg: expected 1 or -1, found ")


def test_an_attribute_file_that_is_cut_off_or_another(base: Path) -> None:
    file = base / "list_attr_celeba.txt"
    text = file.read_text()
    file.write_text("\n".join(text.splitlines()[:40]))
    assert refused(base) == f"{file}: expected 80 rows, as its first line says, found 38."
    file.write_text(text.replace("Smiling", "Laughing"))
    expected = "expected Heavy_Makeup, Mouth_Slightly_Open, Smiling among the attributes on the second line."
    assert refused(base) == f"{file}: {expected}"
    file.write_text("")
    assert refused(base) == f"{file}: {expected}"


def test_the_real_cut(real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    assert (real_root / "celeba/list_attr_celeba.txt").read_text().splitlines()[1].split() == list(ATTRIBUTES)
    parts = {part: opened(real_root / "celeba", part) for part in ("train", "validation", "test")}
    assert [len(r.y) for r in parts.values()] == [900, 100, 200]
    assert parts["train"].y[0] == 4 + 2 * 1 + 1  # made up, mouth open, smiling: the first row of the file
    x = parts["train"].read(np.arange(0, 900, 100))
    expected = Picture.open(real_root / "celeba/img_align_celeba/000101.jpg")
    resized = np.array(expected.resize((64, 64), Picture.Resampling.BILINEAR)).astype(int)
    assert np.abs(x[1].permute(1, 2, 0).numpy() - resized).max() <= 1
