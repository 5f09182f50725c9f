"""A folder of anyone's own recordings: layouts, kinds of files, and what can be wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from mbti_audio.datasets.clips import Clips
from mbti_audio.waves import Waves
from mbti_core.contracts.dataset import Records
from mbti_core.data.fileref import Digests
from mbti_core.errors import DataFormatError, DataUnavailableError


@pytest.fixture
def base(tmp_path: Path) -> Path:
    Clips().fixture(tmp_path)
    return tmp_path / "clips"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[Waves]:
    records = Clips(**settings).load(part, base.parent)
    assert records is not None
    return records


def test_every_kind_of_file_and_rate_is_read(base: Path) -> None:
    files = sorted((base / "train/high").iterdir())
    assert {file.suffix for file in files} == {".wav", ".flac", ".ogg"}
    assert {soundfile.info(file).samplerate for file in files} == {8000, 16_000}
    records = opened(base)
    assert Clips().classes(base.parent) == ("high", "low")
    np.testing.assert_array_equal(records.y, [0] * 12 + [1] * 12)
    waves = records.read(np.arange(24))
    assert waves.rate == Clips().card().facts["rate"] == 16_000
    seconds = [
        soundfile.info(file).duration for name in ("high", "low") for file in sorted((base / "train" / name).iterdir())
    ]
    np.testing.assert_allclose(waves.lengths / 16_000, seconds, atol=1 / 16_000)
    assert len(opened(base, "test").y) == 12
    assert Clips().load("validation", base.parent) is None


def test_another_rate_in_the_middle_of_a_folder_keeps_its_pitch(base: Path) -> None:
    for rate in (11_025, 44_100):
        at = np.arange(rate) / rate
        soundfile.write(base / f"train/low/{rate}.wav", 0.5 * np.sin(2 * np.pi * 700 * at), rate)
    waves = opened(base).read(np.arange(26))
    for row in (24, 25):
        assert int(waves.lengths[row]) == 16_000
        assert np.argmax(np.abs(np.fft.rfft(waves.wave[row, :16_000]))) == 700


def test_clips_in_folders_inside_a_class_and_what_is_passed_over(base: Path) -> None:
    wav = base / "train/low/00.wav"
    (base / "train/low/more/.hidden").mkdir(parents=True)
    shutil.copy(wav, base / "train/low/more/CLIP.WAV")
    shutil.copy(wav, base / "train/low/more/.hidden/x.wav")
    shutil.copy(wav, base / "train/low/._00.wav")
    (base / "train/low/notes.txt").write_text("none")
    (base / "train/.DS_Store").write_text("none")
    assert len(opened(base).y) == 25


def test_an_absolute_folder(base: Path) -> None:
    elsewhere = Clips(folder=str(base)).load("train", Path("nowhere"))
    assert elsewhere is not None
    assert len(elsewhere.y) == 24


def test_a_share_is_split_off_where_there_is_no_test_folder(base: Path) -> None:
    shutil.rmtree(base / "test")
    train, test = (opened(base, part, test_share=0.25) for part in ("train", "test"))
    assert (np.bincount(train.y).tolist(), np.bincount(test.y).tolist()) == ([9, 9], [3, 3])
    rows = {tuple(r.read(np.array([n])).to_pcm().tolist()) for r in (train, test) for n in range(len(r.y))}
    assert len(rows) == 24
    assert Clips().files(base.parent) == [base / "train"]


def test_a_class_too_small_to_split(base: Path) -> None:
    shutil.rmtree(base / "test")
    for file in sorted((base / "train/low").iterdir())[1:]:
        file.unlink()
    assert "a class has too few clips (1) to split off 20% for testing" in refused(base)


def test_the_digest_sees_a_clip_that_changes_its_class(base: Path) -> None:
    before = Digests().of(Clips().files(base.parent))
    (base / "train/low/00.wav").rename(base / "train/high/99.wav")
    assert Digests().of(Clips().files(base.parent)) != before


def refused(base: Path, part: Any = "train") -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(base, part)
    assert caught.value.hint
    return caught.value.message


def test_a_class_without_clips(base: Path) -> None:
    (base / "train/silence").mkdir()
    assert refused(base).startswith(f"{base / 'train/silence'} holds no clip (.wav, .flac, .ogg)")


def test_one_class(base: Path) -> None:
    shutil.rmtree(base / "train/high")
    assert refused(base) == f"{base / 'train'}: expected a folder per class, at least two, found 1."


def test_a_clip_in_no_class(base: Path) -> None:
    shutil.copy(base / "train/low/00.wav", base / "train/stray.wav")
    assert refused(base) == f"{base / 'train/stray.wav'} lies in no class."


def test_a_test_class_without_training_clips(base: Path) -> None:
    (base / "test/low").rename(base / "test/lwo")
    assert refused(base, "test").startswith(f"{base / 'test/lwo'}: there is no class 'lwo' in {base / 'train'}")


def test_an_empty_clip_is_refused_when_it_is_read(base: Path) -> None:
    soundfile.write(base / "train/high/00.wav", np.zeros(0), 16_000)
    records = opened(base)
    with pytest.raises(DataFormatError, match=r"high/00\.wav holds no samples"):
        records.read(np.arange(24))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        Clips(folder="mine").files(tmp_path)
    assert caught.value.message == f"There is no folder train in {tmp_path / 'mine'}."
    assert "dataset.folder" in caught.value.hint


@pytest.mark.parametrize("rate", [0, -16_000, 16_000_000])
def test_a_rate_that_is_none(rate: int) -> None:
    with pytest.raises(ValidationError):
        Clips(rate=rate)
