"""GTSRB: both layouts, and every way in which a copy can be broken."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.datasets.gtsrb import CLASSES, Gtsrb


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Gtsrb().fixture(tmp_path)
    return tmp_path


def folder(root: Path, c: int) -> Path:
    return root / "gtsrb" / "Final_Training" / "Images" / f"{c:05d}"


def opened(root: Path, part: Any = "train", **settings: Any) -> Records[torch.Tensor]:
    records = Gtsrb(**settings).load(part, root)
    assert records is not None
    return records


def test_pictures_and_labels_stand_side_by_side(root: Path) -> None:
    records = opened(root)
    x = records.read(np.arange(86))
    assert x.shape == (86, 3, 32, 32)
    np.testing.assert_array_equal(records.y, np.repeat(np.arange(43), 2))
    expected = Picture.open(folder(root, 7) / "00000_00001.ppm").resize((32, 32), Picture.Resampling.BILINEAR)
    assert np.abs(x[15].permute(1, 2, 0).numpy().astype(int) - np.array(expected).astype(int)).max() <= 1
    np.testing.assert_array_equal(opened(root, "test").y, np.arange(43))
    assert Gtsrb().load("validation", root) is None


def test_rows_in_any_order_and_of_any_size(root: Path) -> None:
    records = opened(root, size=48)
    whole = records.read(np.arange(86))
    assert whole.shape == (86, 3, 48, 48)
    for rows in ([85, 3, 4], [], [0]):
        assert torch.equal(records.read(np.array(rows, dtype=np.int64)), whole[rows])


def test_the_card() -> None:
    card = Gtsrb(size=40).card()
    assert card.input.shape == (3, 40, 40)
    assert len(card.classes) == len(set(card.classes)) == 43
    assert (card.classes[0], card.classes[14], card.classes[38]) == ("speed limit 20", "stop", "keep right")
    assert card.facts == {"mirror": False}


def test_the_layout_of_torchvision(root: Path) -> None:
    from torchvision.datasets import GTSRB

    official = opened(root).read(np.arange(86))
    base = root / "gtsrb"
    (base / "GTSRB").mkdir()
    (base / "Final_Training" / "Images").rename(base / "GTSRB" / "Training")
    (base / "Final_Test").rename(base / "GTSRB" / "Final_Test")
    (base / "GTSRB" / "Final_Test" / "GT-final_test.csv").rename(base / "GT-final_test.csv")
    for part in ("train", "test"):
        theirs = GTSRB(str(root), split=part)
        np.testing.assert_array_equal(opened(root, part).y, [label for _, label in theirs])
    assert torch.equal(opened(root).read(np.arange(86)), official)
    assert [f.relative_to(base).as_posix() for f in Gtsrb().files(root)] == [
        "GTSRB/Training",
        "GTSRB/Final_Test/Images",
        "GT-final_test.csv",
    ]


def test_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        Gtsrb().files(tmp_path)
    assert caught.value.message.startswith(f"gtsrb is not in {tmp_path / 'gtsrb'}: ")
    assert "mbti fetch dataset image/gtsrb" in caught.value.hint
    assert "MBTI_DATA" in caught.value.hint


def test_it_is_not_whole(root: Path) -> None:
    shutil.rmtree(folder(root, 12))
    (root / "gtsrb" / "Final_Test" / "GT-final_test.csv").unlink()
    with pytest.raises(DataUnavailableError, match=r"missing: Images/00012, GT-final_test\.csv\."):
        Gtsrb().files(root)


@pytest.mark.parametrize("kept", [0, 20, 500])
def test_a_damaged_picture_in_the_middle_is_named(root: Path, kept: int) -> None:
    bad = folder(root, 20) / "00000_00001.ppm"
    bad.write_bytes(bad.read_bytes()[:kept])
    records = opened(root)
    records.read(np.arange(41))
    with pytest.raises(DataFormatError, match=r"00020/00000_00001\.ppm does not hold a picture that can be decoded"):
        records.read(np.arange(86))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def refused(root: Path, part: Any = "train") -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(root, part)
    assert caught.value.hint
    return caught.value.message


def test_a_row_without_a_file(root: Path) -> None:
    (folder(root, 3) / "00000_00000.ppm").unlink()
    message = refused(root)
    assert message == f"{folder(root, 3) / 'GT-00003.csv'}: lists 00000_00000.ppm, which is not in {folder(root, 3)}."


def test_a_file_without_a_row(root: Path) -> None:
    for name in ("00001_00000.ppm", "00001_00001.ppm"):
        shutil.copy(folder(root, 3) / "00000_00000.ppm", folder(root, 3) / name)
    message = refused(root)
    assert message.startswith(f"{folder(root, 3)}: holds 00001_00000.ppm, which ")
    assert message.endswith("GT-00003.csv does not list (2 files without a row in all).")


def test_a_picture_that_is_listed_twice(root: Path) -> None:
    edit(folder(root, 3) / "GT-00003.csv", "00000_00001.ppm", "00000_00000.ppm")
    assert refused(root).endswith("GT-00003.csv: lists 00000_00000.ppm twice.")


def test_a_class_without_pictures(root: Path) -> None:
    for file in folder(root, 5).glob("*.ppm"):
        file.unlink()
    edit(folder(root, 5) / "GT-00005.csv", "00000_00000.ppm;30;30;5;5;25;25;5\n00000_00001.ppm;30;30;5;5;25;25;5\n", "")
    assert refused(root).startswith(f"{folder(root, 5)} holds no picture")


@pytest.mark.parametrize("label", ["43", "-1", "cat", ""])
def test_a_label_that_is_none(root: Path, label: str) -> None:
    edit(
        root / "gtsrb/Final_Test/GT-final_test.csv",
        "00030.ppm;30;30;5;5;25;25;30",
        f"00030.ppm;30;30;5;5;25;25;{label}",
    )
    assert f"00030.ppm: expected a class from 0 to 42, found '{label}'" in refused(root, "test")


def test_a_label_that_is_not_its_folders(root: Path) -> None:
    edit(folder(root, 5) / "GT-00005.csv", "25;25;5\n", "25;25;6\n")
    assert "expected class 5, as its folder says, found '6'" in refused(root)


def test_an_annotation_file_of_another_kind(root: Path) -> None:
    (folder(root, 5) / "GT-00005.csv").write_text("a,b,c\n")
    assert "GT-00005.csv: line 1: expected 8 fields, found 1" in refused(root)
    (folder(root, 5) / "GT-00005.csv").write_text("")
    assert "expected the columns Filename and ClassId, found nothing" in refused(root)
    (folder(root, 5) / "GT-00005.csv").write_bytes(b"\xff\xfe\x00")
    assert "GT-00005.csv: expected a text file" in refused(root)
    (folder(root, 5) / "GT-00005.csv").unlink()
    with pytest.raises(DataUnavailableError, match=r"There is no file '.*GT-00005\.csv', which tells the labels"):
        opened(root)


def test_a_picture_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    records = opened(root)
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything, so no mode would do
    with pytest.raises(DataUnavailableError, match=r"00000_00000\.ppm' may not be read: permission denied") as caught:
        records.read(np.arange(3))
    assert "chmod" in caught.value.hint


def test_the_real_cut(real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    records = opened(real_root)
    np.testing.assert_array_equal(np.bincount(records.y), [60] * len(CLASSES))
    rows = np.array([0, 1000, 2579])
    files = sorted(Gtsrb().files(real_root)[0].glob("*/*.ppm"))
    expected = np.stack([np.array(Picture.open(files[row])) for row in rows])  # the cut is of 32 pixels
    np.testing.assert_array_equal(records.read(rows).permute(0, 2, 3, 1).numpy(), expected)
    test = opened(real_root, "test")
    assert test.y[:2].tolist() == [16, 1]
    assert len(test.read(np.arange(1000))) == 1000
