"""A folder of anyone's own pictures: layouts, kinds of files, and what can be wrong with them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import mbti_core
from mbti_core.contracts.dataset import Records
from mbti_core.data.fileref import Digests
from mbti_core.errors import DataFormatError, DataUnavailableError, MbtiError
from mbti_image.datasets.imagefolder import ImageFolder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    ImageFolder().fixture(tmp_path)
    return tmp_path / "imagefolder"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[torch.Tensor]:
    records = ImageFolder(**settings).load(part, base.parent)
    assert records is not None
    return records


def test_every_kind_of_file_and_size_is_read(base: Path) -> None:
    names = sorted(p.suffix for p in (base / "train/dark").iterdir())
    assert set(names) == {".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".webp"}
    records = opened(base, size=24)
    assert ImageFolder().classes(base.parent) == ("bright", "dark")
    np.testing.assert_array_equal(records.y, [0] * 12 + [1] * 12)
    x = records.read(np.arange(24))
    assert x.shape == (24, 3, 24, 24)
    level = x.float().mean((1, 2, 3))
    assert float(level[:12].min()) > 180
    assert float(level[12:].max()) < 80
    assert len(opened(base, "test").y) == 12
    assert ImageFolder().load("validation", base.parent) is None


def test_pictures_in_folders_inside_a_class_and_what_is_passed_over(base: Path) -> None:
    (base / "train/dark/more/.hidden").mkdir(parents=True)
    shutil.copy(base / "train/dark/00.png", base / "train/dark/more/PICTURE.PNG")
    shutil.copy(base / "train/dark/00.png", base / "train/dark/more/.hidden/x.png")
    (base / "train/dark/notes.txt").write_text("none")
    (base / "train/.DS_Store").write_text("none")
    assert len(opened(base).y) == 25


def test_an_absolute_folder(base: Path) -> None:
    elsewhere = ImageFolder(folder=str(base)).load("train", Path("nowhere"))
    assert elsewhere is not None
    assert len(elsewhere.y) == 24


def test_a_share_is_split_off_where_there_is_no_test_folder(base: Path) -> None:
    shutil.rmtree(base / "test")
    train, test = (opened(base, part, test_share=0.25) for part in ("train", "test"))
    assert (np.bincount(train.y).tolist(), np.bincount(test.y).tolist()) == ([9, 9], [3, 3])
    pictures = torch.cat([r.read(np.arange(len(r.y))) for r in (train, test)]).flatten(1)
    assert len(torch.unique(pictures, dim=0)) == 24
    kept = test.read(np.arange(6))
    shutil.copy(base / "train/dark/00.png", base / "train/bright/another.png")
    again = opened(base, "test", test_share=0.25).read(np.arange(6))
    assert sum(bool((again == picture).all((1, 2, 3)).any()) for picture in kept) >= 5


def test_a_class_too_small_to_split(base: Path) -> None:
    shutil.rmtree(base / "test")
    for file in list((base / "train/dark").iterdir())[1:]:
        file.unlink()
    with pytest.raises(DataFormatError, match="too few pictures to split off 20% for testing"):
        opened(base)


def test_the_digest_sees_a_picture_that_changes_class(base: Path) -> None:
    before = Digests().of(ImageFolder().files(base.parent))
    (base / "train/dark/00.png").rename(base / "train/bright/99.png")
    assert Digests().of(ImageFolder().files(base.parent)) != before


def refused(base: Path, part: Any = "train") -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(base, part)
    assert caught.value.hint
    return caught.value.message


def test_an_empty_class(base: Path) -> None:
    (base / "train/empty").mkdir()
    assert refused(base).startswith(f"{base / 'train/empty'} holds no picture (.png, .jpg, ")


def test_one_class(base: Path) -> None:
    shutil.rmtree(base / "train/dark")
    assert refused(base) == f"{base / 'train'}: expected a folder per class, at least two, found 1."


def test_a_picture_in_no_class(base: Path) -> None:
    shutil.copy(base / "train/dark/00.png", base / "train/stray.png")
    assert refused(base) == f"{base / 'train/stray.png'} lies in no class."


def test_a_test_class_without_training_pictures(base: Path) -> None:
    (base / "test/dark").rename(base / "test/drak")
    assert refused(base, "test").startswith(f"{base / 'test/drak'}: there is no class 'drak' in {base / 'train'}")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        ImageFolder(folder="mine").files(tmp_path)
    assert caught.value.message == f"There is no folder train in {tmp_path / 'mine'}."
    assert "dataset.folder" in caught.value.hint


def test_a_folder_without_permission(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> list[str]:
        if Path(path).name == "dark":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    listing = os.listdir
    monkeypatch.setattr("mbti_core.data.reading.os.listdir", refuse)  # root may read everything, so no mode would do
    with pytest.raises(DataUnavailableError, match=r"train/dark' may not be read: permission denied"):
        opened(base)


SPEC = {
    "modality": "image",
    "dataset": {"name": "imagefolder", "size": 16},
    "attack": {"name": "badnets", "ratio": 0.5, "size": 2},
    "model": {"name": "cnn"},
    "train": {"epochs": 1},
}


def run(base: Path, **attack: Any) -> Any:
    spec = {**SPEC, "attack": {**SPEC["attack"], **attack}}
    return mbti_core.run(spec, data_root=base.parent, store=base.parent / "runs", report=False)


@pytest.mark.parametrize("kept", [0, 40])
def test_a_run_stops_at_a_damaged_picture_before_it_trains(base: Path, kept: int) -> None:
    file = base / "train/dark/05.webp"
    file.write_bytes(file.read_bytes()[:kept])
    results = run(base)
    assert {row["status"] for row in results.rows} == {"failed"}
    [failure] = results.failures
    assert failure.node.stage == "prepare"
    assert str(failure.error).startswith(f"{file} does not hold a picture that can be decoded")
    assert not (base.parent / "runs" / "train").exists()


def test_a_target_that_is_no_class(base: Path) -> None:
    with pytest.raises(
        MbtiError, match=r"attack\.target: expected a class of imagefolder, an integer from 0 to 1, got 2"
    ):
        run(base, target=2)


@pytest.mark.learn
def test_a_run_on_ones_own_pictures(base: Path) -> None:
    Picture.fromarray(np.full((50, 20, 4), 90, np.uint8)).save(base / "train/dark/alpha.png")
    [row] = run(base, target=1).rows
    assert (row["status"], row["dataset"], row["n_clean"]) == ("ok", "imagefolder", 12)
