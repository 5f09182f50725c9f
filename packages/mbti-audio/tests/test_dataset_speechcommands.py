"""Speech Commands: which clip is in which part, and what can be wrong with the lists."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from mbti_audio.datasets.speechcommands import SpeechCommands
from mbti_audio.waves import Waves
from mbti_core.contracts.dataset import Records
from mbti_core.data.fileref import Digests
from mbti_core.errors import DataFormatError, DataUnavailableError


@pytest.fixture
def base(tmp_path: Path) -> Path:
    SpeechCommands().fixture(tmp_path)
    return tmp_path / "SpeechCommands" / "speech_commands_v0.02"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[Waves]:
    records = SpeechCommands(**settings).load(part, base.parents[1])
    assert records is not None
    return records


def clip(base: Path, name: str) -> np.ndarray:
    samples, _ = soundfile.read(base / name, dtype="int16")
    return samples


def test_training_is_what_stands_in_neither_list(base: Path) -> None:
    assert SpeechCommands().classes(base.parents[1]) == ("left", "right", "stop")
    tested = (base / "testing_list.txt").read_text().split()
    validated = (base / "validation_list.txt").read_text().split()
    every = sorted(file.relative_to(base).as_posix() for file in base.glob("*/*_nohash_*.wav"))
    expected = {
        "train": [name for name in every if name not in tested + validated],
        "validation": sorted(validated),
        "test": sorted(tested),
    }
    for part, names in expected.items():
        records = opened(base, part)
        waves = records.read(np.arange(len(names)))
        assert records.y.tolist() == [["left", "right", "stop"].index(name.split("/")[0]) for name in names]
        assert waves.to_pcm().tolist() == np.concatenate([clip(base, name) for name in names]).tolist()


def test_clips_keep_their_lengths(base: Path) -> None:
    lengths = opened(base).read(np.arange(24)).lengths
    assert lengths.unique().tolist() == [1120, 1280, 1440, 1600]


def test_what_is_no_clip_is_passed_over(base: Path) -> None:
    before = len(opened(base).y)
    shutil.copy(base / "left" / "00000000_nohash_0.wav", base / "left" / "other.wav")
    (base / "left" / "00000000_nohash_0.wav.txt").write_text("none")
    (base / ".cache").mkdir()
    (base / "README.md").write_text("none")
    assert len(opened(base).y) == before == 24
    assert len(SpeechCommands().classes(base.parents[1])) == 3


def test_some_words_are_classes_of_their_own(base: Path) -> None:
    chosen = SpeechCommands(words=("stop", "left"))
    root = base.parents[1]
    assert chosen.classes(root) == chosen.card().classes == ("left", "stop")
    assert opened(base, "test", words=("stop", "left")).y.tolist() == [0, 0, 1, 1]
    assert chosen.files(root) == [base / "left", base / "stop", base / "validation_list.txt", base / "testing_list.txt"]


def test_of_a_cut_by_words_the_lists_may_name_others_if_the_words_are_named(base: Path) -> None:
    shutil.rmtree(base / "right")
    with pytest.raises(DataFormatError, match=r"lists right/00000004_nohash_0\.wav, which is not there \(2 in all\)"):
        opened(base)
    assert len(opened(base, words=("left", "stop")).y) == 16


@pytest.mark.parametrize("words", [("left",), ("left", "left")])
def test_words_are_at_least_two_and_each_once(words: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="at least two words, each once"):
        SpeechCommands(words=words)


def test_the_order_of_the_words_does_not_matter() -> None:
    assert SpeechCommands(words=("yes", "no")) == SpeechCommands(words=("no", "yes"))


def test_a_word_that_is_not_there(base: Path) -> None:
    with pytest.raises(DataUnavailableError, match="There is no word 'lefd' in") as caught:
        SpeechCommands(words=("lefd", "stop")).classes(base.parents[1])
    assert caught.value.hint == "Did you mean left?"


def add(base: Path, name: str, line: str) -> None:
    with (base / name).open("a") as file:
        file.write(line + "\n")


def refused(base: Path) -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(base)
    assert caught.value.hint
    return caught.value.message


def test_a_list_that_names_a_missing_clip(base: Path) -> None:
    add(base, "validation_list.txt", "left/ffffffff_nohash_0.wav")
    expected = f"{base / 'validation_list.txt'}: lists left/ffffffff_nohash_0.wav, which is not there."
    assert refused(base) == expected


def test_a_clip_in_both_lists(base: Path) -> None:
    add(base, "validation_list.txt", "left/00000005_nohash_1.wav")
    expected = f"{base}: left/00000005_nohash_1.wav stands in validation_list.txt and in testing_list.txt."
    assert refused(base) == expected


def test_a_speaker_in_training_and_test(base: Path) -> None:
    add(base, "testing_list.txt", "left/00000002_nohash_1.wav")
    assert refused(base) == f"{base}: the speaker 00000002 is in training and test."


def test_a_list_that_is_no_text(base: Path) -> None:
    (base / "testing_list.txt").write_bytes(b"left/\xff\xfe.wav\n")
    assert "testing_list.txt: expected a text file" in refused(base)


def test_lists_from_another_system(base: Path) -> None:
    for name in ("validation_list.txt", "testing_list.txt"):
        file = base / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert len(opened(base, "test").y) == 6


def test_a_missing_list_and_no_folder(base: Path, tmp_path: Path) -> None:
    (base / "testing_list.txt").unlink()
    with pytest.raises(DataUnavailableError, match=r"not whole .*missing: testing_list\.txt"):
        SpeechCommands().files(base.parents[1])
    with pytest.raises(DataUnavailableError, match=r"speech_commands_v0\.01: there is no validation_list\.txt"):
        SpeechCommands(version="0.01").files(tmp_path)


def test_the_rate_is_on_the_card_and_in_every_clip(base: Path) -> None:
    assert SpeechCommands(rate=8000).card().facts == {"rate": 8000}
    slow, fast = (opened(base, rate=rate).read(np.arange(24)) for rate in (8000, 16_000))
    assert (slow.rate, fast.rate) == (8000, 16_000)
    assert (slow.lengths * 2).tolist() == fast.lengths.tolist()


def test_the_digest_sees_a_clip_that_changes_its_word(base: Path) -> None:
    before = Digests().of(SpeechCommands().files(base.parents[1]))
    (base / "left" / "00000000_nohash_0.wav").rename(base / "right" / "0000000a_nohash_0.wav")
    assert Digests().of(SpeechCommands().files(base.parents[1])) != before


def test_the_older_version_has_a_folder_and_an_archive_of_its_own(tmp_path: Path) -> None:
    older = SpeechCommands(version="0.01")
    older.fixture(tmp_path)
    assert (tmp_path / "SpeechCommands" / "speech_commands_v0.01" / "left").is_dir()
    records = older.load("train", tmp_path)
    assert records is not None
    assert len(records.y) == 24
    origin = older.card().origin
    assert origin is not None
    assert origin.folder == "SpeechCommands/speech_commands_v0.01"
    assert origin.downloads[0].url.endswith("/speech_commands_v0.01.tar.gz")


def test_the_counts_add_up_to_the_published_total() -> None:
    assert sum(SpeechCommands().card().counts.values()) == 105_829


def test_the_real_cut(real_root: Path) -> None:
    parts = {part: SpeechCommands().load(part, real_root) for part in ("train", "validation", "test")}  # type: ignore[arg-type]  # Parts
    assert {part: len(records.y) for part, records in parts.items() if records} == {
        "train": 1962,
        "validation": 149,
        "test": 489,
    }
    assert len(SpeechCommands().classes(real_root)) == 10
