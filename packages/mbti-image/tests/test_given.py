"""What somebody brings: folders of pictures in any of the usual layouts, weights of a net of timm."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.errors import DataFormatError
from mbti_image import plugin
from mbti_image.given import given_data

INFO = ModelInfo("image/cnn", "image", InputSpec((3, 16, 16), "uint8", 0, 255), 2)


def paint(path: Path, level: int, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.full((side, side, 3), level, np.uint8)).save(path)


def test_a_folder_per_class_gives_every_picture_with_its_name(tmp_path: Path) -> None:
    paint(tmp_path / "dark/a.png", 20)
    paint(tmp_path / "bright/deep/b.png", 200, side=40)
    (tmp_path / "rows.csv").write_text("file,index,label,truth,kind\n")
    found = given_data(tmp_path, INFO)
    assert found is not None
    assert found.classes == ("bright", "dark")
    assert list(found.names) == ["bright/deep/b.png", "dark/a.png"]
    assert found.records.y.tolist() == [0, 1]
    x = found.records.read(np.arange(2))
    assert x.shape == (2, 3, 16, 16)
    assert x.float().mean((1, 2, 3)).tolist() == [200.0, 20.0]


def test_both_parts_of_a_divided_folder_are_looked_at(tmp_path: Path) -> None:
    for part, name in (("train", "dark"), ("train", "bright"), ("test", "dark")):
        paint(tmp_path / part / name / "0.png", 20)
    found = given_data(tmp_path, None)
    assert found is not None
    assert sorted(found.names) == ["test/dark/0.png", "train/bright/0.png", "train/dark/0.png"]
    assert found.input.shape == (3, 32, 32)


def test_an_empty_class_is_said_and_other_files_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words/a.txt").write_text("a fine film")
    assert given_data(tmp_path, None) is None
    paint(tmp_path / "dark/a.png", 20)
    with pytest.raises(DataFormatError, match="words holds no picture"):
        given_data(tmp_path, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    paint(tmp_path / "dark/a.png", 20)
    (tmp_path / "dark").chmod(0)
    try:
        with pytest.raises(Exception, match="permission denied"):
            given_data(tmp_path, None)
    finally:
        (tmp_path / "dark").chmod(0o755)


def test_a_net_of_timm_is_called_by_its_name_there(tmp_path: Path) -> None:
    given = plugin.mbti_given_model(tmp_path, "timm/resnet10t")
    assert given is not None
    assert (given.arch, dict(given.settings), given.weights) == ("image/timm", {"arch": "resnet10t"}, tmp_path)
    assert plugin.mbti_given_model(tmp_path, "image/cnn") is None
    assert plugin.mbti_given_model(tmp_path, None) is None


def test_what_export_writes_is_read_back(tmp_path: Path) -> None:
    x = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    answer = plugin.mbti_files(x, "image")
    assert answer is not None
    for at, content in enumerate(answer[1]):
        (tmp_path / f"c{at % 2}").mkdir(exist_ok=True)
        (tmp_path / f"c{at % 2}" / f"{at}{answer[0]}").write_bytes(content)
    found = given_data(tmp_path, INFO)
    assert found is not None
    order = [int(Path(name).stem) for name in found.names]
    assert torch.equal(found.records.read(np.arange(3)), x[order])
