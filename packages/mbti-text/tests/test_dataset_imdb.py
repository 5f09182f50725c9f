"""IMDb: a file per review."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.datasets.imdb import Imdb


@pytest.fixture
def base(tmp_path: Path) -> Path:
    Imdb().fixture(tmp_path)
    return tmp_path / "aclImdb"


def opened(base: Path, part: Any = "train") -> Records[list[str]]:
    records = Imdb().load(part, base.parent)
    assert records is not None
    return records


def test_negative_reviews_come_first_in_the_order_of_names(base: Path) -> None:
    files = sorted((base / "train/neg").iterdir()) + sorted((base / "train/pos").iterdir())
    records = opened(base)
    assert records.y.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert records.read(np.arange(8)) == [f.read_text(encoding="utf-8") for f in files]
    assert records.read(np.array([1, 6])) == [files[n].read_text(encoding="utf-8") for n in (1, 6)]
    assert "<br />" in records.read(np.array([1]))[0]
    assert len(opened(base, "test").y) == 8
    assert Imdb().load("validation", base.parent) is None


def test_reviews_without_labels_are_not_read(base: Path) -> None:
    folders = Imdb().files(base.parent)
    assert [f.relative_to(base).as_posix() for f in folders] == ["train/neg", "train/pos", "test/neg", "test/pos"]


def test_a_folder_with_unsup_only(base: Path) -> None:
    for name in ("neg", "pos"):
        shutil.rmtree(base / "train" / name)
    for call in (Imdb().files, lambda root: Imdb().load("train", root)):
        with pytest.raises(DataUnavailableError) as caught:
            call(base.parent)
        assert caught.value.message == f"{base / 'train'} holds only unsup, whose reviews have no labels."
        assert "Unpack neg and pos" in caught.value.hint


def test_what_is_missing(base: Path) -> None:
    shutil.rmtree(base / "test/pos")
    with pytest.raises(DataUnavailableError, match=r"imdb is not whole in .*missing: test/pos\."):
        Imdb().files(base.parent)
    with pytest.raises(DataUnavailableError, match=r"imdb is not in .*nowhere") as caught:
        Imdb(folder="nowhere").files(base.parent)
    assert "mbti fetch dataset text/imdb" in caught.value.hint


@pytest.mark.parametrize("name", ["0_7.txt", "notes.txt", "7_1.html"])
def test_a_file_that_is_no_negative_review(name: str, base: Path) -> None:
    (base / "train/neg" / name).write_text("text")
    (base / "train/neg/.DS_Store").write_text("passed over")
    with pytest.raises(
        DataFormatError, match=r"expected a name <id>_<rating>\.txt with a rating from 1 to 4"
    ) as caught:
        opened(base)
    assert caught.value.message.startswith(str(base / "train/neg" / name))


def test_a_class_without_reviews(base: Path) -> None:
    shutil.rmtree(base / "test/neg")
    (base / "test/neg").mkdir()
    with pytest.raises(DataFormatError, match="test/neg holds no review"):
        opened(base, "test")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the text is empty"),
        ("déjà vu".encode("latin1"), "the byte 0xe9 at offset 1 is not UTF-8"),
        (b"a\0b", "there is a NUL byte at offset 1"),
    ],
)
def test_a_damaged_review_is_named(content: bytes, said: str, base: Path) -> None:
    file = base / "train/pos/1_8.txt"
    file.write_bytes(content)
    records = opened(base)
    records.read(np.arange(5))
    with pytest.raises(DataFormatError, match=said) as caught:
        records.read(np.arange(8))
    assert caught.value.message.startswith(f"{file}: ")


def test_a_review_of_100_000_words(base: Path) -> None:
    text = " ".join(["word"] * 100_000)
    (base / "train/pos/9_10.txt").write_text(text)
    assert opened(base).read(np.array([8])) == [text]


def test_the_real_cut(real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    for part, count in (("train", 750), ("test", 400)):
        records = opened(real_root / "aclImdb", part)
        assert np.bincount(records.y).tolist() == [count, count]
        first = min(p.name for p in (real_root / "aclImdb" / part / "pos").iterdir())
        expected = (real_root / "aclImdb" / part / "pos" / first).read_text(encoding="utf-8").strip()
        assert records.read(np.array([count])) == [expected]
