"""Tiny-ImageNet: classes, both parts, and what can be wrong with a copy."""

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
from mbti_image.datasets.tinyimagenet import TinyImageNet

GRAY = 2  # the fixture's class of gray pictures


@pytest.fixture
def base(tmp_path: Path) -> Path:
    TinyImageNet().fixture(tmp_path)
    return tmp_path / "tiny-imagenet-200"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[torch.Tensor]:
    records = TinyImageNet(**settings).load(part, base.parent)
    assert records is not None
    return records


def refused(base: Path, part: Any = "train") -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(base, part)
    assert caught.value.hint
    return caught.value.message


def test_classes_stand_in_the_order_of_wnids_and_those_without_pictures_are_left_out(base: Path) -> None:
    assert len((base / "wnids.txt").read_text().split()) == 4
    assert TinyImageNet().classes(base.parent) == ("goldfish", "Egyptian cat", "reel")
    order = ["n04067472", "n07920052", "n01443537", "n02124075"]
    (base / "wnids.txt").write_text("\n".join(order))
    assert TinyImageNet().classes(base.parent) == ("reel", "goldfish", "Egyptian cat")
    (base / "words.txt").unlink()
    assert TinyImageNet().classes(base.parent) == ("n04067472", "n01443537", "n02124075")


def test_labels_go_with_the_pictures(base: Path) -> None:
    train, test = opened(base), opened(base, "test")
    np.testing.assert_array_equal(train.y, np.repeat([0, 1, 2], 12))
    np.testing.assert_array_equal(test.y, np.repeat([0, 1, 2], 6))
    assert TinyImageNet().load("validation", base.parent) is None
    colors = {part: r.read(np.arange(len(r.y))).float().mean((2, 3)) for part, r in (("train", train), ("test", test))}
    for c in range(3):
        mine, other = (colors[part][r.y == c].mean(0) for part, r in (("train", train), ("test", test)))
        assert float((mine - other).abs().max()) < 8
    (base / "wnids.txt").write_text("n04067472\nn07920052\nn01443537\nn02124075\n")
    np.testing.assert_array_equal(opened(base, "test").y, np.repeat([1, 2, 0], 6))


def test_gray_photographs_are_read_as_color(base: Path) -> None:
    x = opened(base).read(np.arange(36))
    file = base / "train/n04067472/images/n04067472_0.JPEG"
    with Picture.open(file) as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(x[12 * GRAY].numpy(), np.stack([np.array(picture)] * 3))


def test_the_size_is_a_setting(base: Path) -> None:
    assert opened(base, size=32).read(np.arange(4)).shape == (4, 3, 32, 32)
    assert TinyImageNet(size=32).card().input.shape == (3, 32, 32)


def test_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        TinyImageNet().classes(tmp_path)
    assert caught.value.message.startswith(f"tinyimagenet is not in {tmp_path / 'tiny-imagenet-200'}: ")
    assert "mbti fetch dataset image/tinyimagenet" in caught.value.hint


def test_it_is_not_whole(base: Path) -> None:
    (base / "wnids.txt").unlink()
    (base / "val" / "val_annotations.txt").unlink()
    with pytest.raises(DataUnavailableError, match=r"missing: wnids\.txt, val/val_annotations\.txt\."):
        TinyImageNet().files(base.parent)


def test_a_class_folder_that_is_empty(base: Path) -> None:
    for file in (base / "train/n02124075/images").iterdir():
        file.unlink()
    assert refused(base).startswith(f"{base / 'train/n02124075/images'} holds no picture")


def test_a_class_folder_that_is_not_listed(base: Path) -> None:
    shutil.copytree(base / "train/n02124075", base / "train/n99999999")
    assert refused(base).startswith(f"{base / 'train/n99999999'}: ")


def test_a_class_that_is_listed_twice(base: Path) -> None:
    (base / "wnids.txt").write_text("n01443537\nn01443537\nn02124075\nn04067472\n")
    assert refused(base) == f"{base / 'wnids.txt'}: lists a class twice."


def test_annotations_that_do_not_go_with_the_pictures(base: Path) -> None:
    file = base / "val" / "val_annotations.txt"
    text = file.read_text()
    (base / "val/images/val_7.JPEG").rename(base / "val/images/val_99.JPEG")
    assert refused(base, "test").startswith(f"{file}: lists val_7.JPEG, which is not in")
    file.write_text(text.replace("val_7.JPEG", "val_99.JPEG") + "val_3.JPEG\tn02124075\t0\t0\t1\t1\n")
    assert refused(base, "test") == f"{file}: lists val_3.JPEG twice."
    file.write_text("".join(line + "\n" for line in text.splitlines() if "val_7." not in line))
    assert refused(base, "test") == f"{base / 'val/images'}: holds val_99.JPEG, which {file} does not list."
    file.write_text(text.replace("val_7.JPEG\tn02124075", "val_99.JPEG\tn00000001"))
    assert "val_99.JPEG: the class 'n00000001' is not in wnids.txt" in refused(base, "test")
    file.write_text(text.replace("val_7.JPEG\tn02124075", "val_99.JPEG"))
    assert "val_99.JPEG" in refused(base, "test")


def test_the_real_cut(real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    source = TinyImageNet()
    assert source.classes(real_root)[:2] == ("Egyptian cat", "reel")
    train, test = (source.load(part, real_root) for part in ("train", "test"))  # type: ignore[arg-type]  # both are parts
    assert train is not None
    assert test is not None
    np.testing.assert_array_equal(np.bincount(train.y), [100] * 20)
    np.testing.assert_array_equal(np.bincount(test.y), [25] * 20)
    order = (real_root / "tiny-imagenet-200/wnids.txt").read_text().split()
    assert test.y[:2].tolist() == [order.index("n04067472"), order.index("n04146614")]  # val_1 and val_8
    wnid = order[3]
    files = sorted((real_root / "tiny-imagenet-200/train" / wnid / "images").iterdir())
    expected = np.stack([np.array(Picture.open(file).convert("RGB")) for file in files])
    np.testing.assert_array_equal(train.read(np.arange(300, 400)).permute(0, 2, 3, 1).numpy(), expected)
    assert len(test.read(np.arange(500))) == 500
