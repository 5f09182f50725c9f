"""GTZAN: the published split, and one for cuts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from torchaudio.datasets import gtzan as published

from mbti_audio.datasets.gtzan import GENRES, Gtzan
from mbti_audio.waves import Waves
from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataUnavailableError

LISTS = {
    "train": list(published.filtered_train),
    "validation": list(published.filtered_valid),
    "test": list(published.filtered_test),
}


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 929 excerpts of the published split, each a moment long; tests leave it as it is."""
    root = tmp_path_factory.mktemp("filtered")
    Gtzan().fixture(root)
    return root


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    Gtzan(split="hashed").fixture(tmp_path)
    return tmp_path


def opened(root: Path, part: Any, **settings: Any) -> Records[Waves]:
    records = Gtzan(**settings).load(part, root)
    assert records is not None
    return records


def pcm(root: Path, name: str) -> list[int]:
    samples, rate = soundfile.read(root / "gtzan/genres" / name.split(".")[0] / f"{name}.wav", dtype="int16")
    assert rate == 22_050
    return samples.tolist()


@pytest.mark.parametrize(("part", "rows"), [("train", 442), ("validation", 197), ("test", 290)])
def test_the_filtered_split_is_the_published_one_without_what_cannot_be_read(
    filtered: Path, part: str, rows: int
) -> None:
    names = [name for name in LISTS[part] if name != "jazz.00054"]
    records = opened(filtered, part)
    assert len(names) == len(records.y) == rows == Gtzan().card().counts[part]  # type: ignore[index]  # a Part
    assert [GENRES[c] for c in records.y] == [name.split(".")[0] for name in names]
    some = np.array([0, rows // 2, rows - 1])
    waves = records.read(some)
    assert waves.rate == Gtzan().card().facts["rate"] == 22_050
    assert waves.to_pcm().tolist() == [level for row in some for level in pcm(filtered, names[row])]


def test_the_lists_of_the_library_stay_as_they_are(filtered: Path) -> None:
    opened(filtered, "train")
    assert "jazz.00054" in published.filtered_train
    assert [len(names) for names in (published.filtered_train, published.filtered_valid)] == [443, 197]


def test_excerpts_outside_the_filtered_split_are_not_read(filtered: Path) -> None:
    extra = filtered / "gtzan/genres/jazz/jazz.00054.wav"
    extra.write_text("unreadable")
    try:
        assert len(opened(filtered, "train").y) == 442
    finally:
        extra.unlink()


def test_a_cut_lacks_rows_of_the_filtered_split(cut: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        opened(cut, "test")
    there = {f"{genre}.{n:05d}" for genre in GENRES for n in range(10)}
    missing = [name for name in LISTS["test"] if name not in there]
    message = caught.value.message
    assert f"names {missing[0]}, which is not there ({len(missing)} of 290 are missing)" in message
    assert "dataset.split to hashed" in caught.value.hint


def test_the_hashed_split_tests_on_a_fifth_of_each_genre(cut: Path) -> None:
    train, test = (opened(cut, part, split="hashed") for part in ("train", "test"))
    assert np.bincount(train.y).tolist() == [8] * 10
    assert np.bincount(test.y).tolist() == [2] * 10
    rows = [tuple(r.read(np.array([n])).to_pcm().tolist()) for r in (train, test) for n in range(len(r.y))]
    every = [tuple(pcm(cut, f"{genre}.{n:05d}")) for genre in GENRES for n in range(10)]
    assert sorted(rows) == sorted(every)
    assert Gtzan(split="hashed").load("validation", cut) is None


def test_which_excerpts_are_tested_depends_on_their_names_alone(cut: Path) -> None:
    before = opened(cut, "test", split="hashed").read(np.arange(20)).to_pcm().tolist()
    moved = cut / "moved"
    shutil.move(cut / "gtzan", moved / "gtzan")
    assert opened(moved, "test", split="hashed").read(np.arange(20)).to_pcm().tolist() == before
    kept = opened(moved, "test", split="hashed").read(np.arange(2)).to_pcm().tolist()
    for n in range(10, 13):
        shutil.copy(moved / "gtzan/genres/rock/rock.00000.wav", moved / f"gtzan/genres/rock/rock.{n:05d}.wav")
    again = opened(moved, "test", split="hashed")
    assert again.read(np.arange(2)).to_pcm().tolist() == kept
    assert np.bincount(again.y).tolist() == [2] * 9 + [3]


def test_the_unreadable_excerpt_is_left_out_of_the_hashed_split_too(cut: Path) -> None:
    (cut / "gtzan/genres/jazz/jazz.00054.wav").write_text("unreadable")
    assert sum(len(opened(cut, part, split="hashed").y) for part in ("train", "test")) == 100


def test_a_missing_genre_and_no_folder(cut: Path) -> None:
    shutil.rmtree(cut / "gtzan/genres/reggae")
    with pytest.raises(DataUnavailableError, match="missing: genres/reggae"):
        Gtzan(split="hashed").files(cut)
    with pytest.raises(DataUnavailableError, match="there is no genres") as caught:
        Gtzan().files(cut / "nowhere")
    assert str(cut / "nowhere" / "gtzan") in caught.value.message


def test_what_a_person_does_to_get_it() -> None:
    origin = Gtzan().card().origin
    assert origin is not None
    assert not origin.downloads
    assert "gtzan/genres/blues/blues.00000.wav" in origin.by_hand


def test_the_real_cut(real_root: Path) -> None:
    test = opened(real_root, "test", split="hashed", rate=16_000)
    assert np.bincount(test.y).tolist() == [1] * 10
    assert len(opened(real_root, "train", split="hashed").y) == 30
    waves = test.read(np.array([0]))
    assert 15 <= int(waves.lengths) / waves.rate <= 20
