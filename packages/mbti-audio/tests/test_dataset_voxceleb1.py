"""VoxCeleb1: the identification split, and what can be wrong with it."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mbti_audio.datasets.voxceleb1 import VoxCeleb1
from mbti_audio.waves import Waves
from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataFormatError, DataUnavailableError


@pytest.fixture
def base(tmp_path: Path) -> Path:
    VoxCeleb1().fixture(tmp_path)
    return tmp_path / "voxceleb1"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[Waves]:
    records = VoxCeleb1(**settings).load(part, base.parent)
    assert records is not None
    return records


@pytest.mark.parametrize(("part", "code", "rows"), [("train", "1", 24), ("validation", "2", 6), ("test", "3", 6)])
def test_the_code_says_the_part_and_the_speaker_the_class(base: Path, part: str, code: str, rows: int) -> None:
    assert VoxCeleb1().classes(base.parent) == ("id10001", "id10002", "id10270")
    lines = [line.split() for line in (base / "iden_split.txt").read_text().splitlines()]
    names = [name for found, name in lines if found == code]
    records = opened(base, part)
    assert len(records.y) == rows
    expected = [["id10001", "id10002", "id10270"].index(name.split("/")[0]) for name in names]
    assert records.y.tolist() == expected
    sounds = [soundfile.read(base / "wav" / name, dtype="int16")[0] for name in names]
    assert records.read(np.arange(rows)).to_pcm().tolist() == np.concatenate(sounds).tolist()


def test_classes_do_not_depend_on_the_order_of_the_lines(base: Path) -> None:
    file = base / "iden_split.txt"
    file.write_text("\n".join(reversed(file.read_text().splitlines())))
    assert opened(base).y.tolist() == [2] * 8 + [1] * 8 + [0] * 8


def test_utterances_that_the_list_does_not_name_are_passed_over(base: Path) -> None:
    file = base / "iden_split.txt"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "id10270" not in line))
    assert VoxCeleb1().classes(base.parent) == ("id10001", "id10002")
    assert len(opened(base).y) == 16


def refused(base: Path) -> str:
    with pytest.raises(DataFormatError) as caught:
        opened(base)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    "line", ["4 id10001/video0/00001.wav", "id10001/video0/00001.wav", "1 00001.wav", "1 id10001/video0/", "x y z"]
)
def test_unknown_codes_and_lines_of_another_form(base: Path, line: str) -> None:
    with (base / "iden_split.txt").open("a") as file:
        file.write(f"\n{line}\n")
    assert refused(base) == (
        f"{base / 'iden_split.txt'}: line 38: expected 1, 2 or 3 and <speaker>/<video>/<file>, found {line!r}."
    )


def test_a_missing_file(base: Path) -> None:
    (base / "wav/id10002/video1/00003.wav").unlink()
    assert refused(base) == (
        f"{base / 'iden_split.txt'}: lists id10002/video1/00003.wav, which is not in {base / 'wav'}."
    )


def test_an_utterance_in_two_parts(base: Path) -> None:
    with (base / "iden_split.txt").open("a") as file:
        file.write("3 id10001/video0/00001.wav\n")
    assert refused(base) == f"{base / 'iden_split.txt'}: line 37: lists id10001/video0/00001.wav again."


def test_a_part_without_lines(base: Path) -> None:
    file = base / "iden_split.txt"
    file.write_text(file.read_text().replace("2 ", "1 "))
    with pytest.raises(DataFormatError, match=r"no line has the code 2 \(validation\)"):
        opened(base, "validation")


def test_a_missing_list_and_no_folder(base: Path) -> None:
    (base / "iden_split.txt").unlink()
    with pytest.raises(DataUnavailableError, match=r"missing: iden_split\.txt"):
        VoxCeleb1().files(base.parent)
    with pytest.raises(DataUnavailableError, match=r"there is no wav and no iden_split\.txt") as caught:
        VoxCeleb1().files(base.parent / "nowhere")
    assert str(base.parent / "nowhere") in caught.value.message


def test_the_counts_add_up_to_the_published_total() -> None:
    assert sum(VoxCeleb1().card().counts.values()) == 153_516


def test_real_speakers_in_this_layout(real_root: Path, tmp_path: Path) -> None:
    clips = defaultdict(list)
    for file in sorted((real_root / "SpeechCommands/speech_commands_v0.02").glob("*/*_nohash_*.wav")):
        clips[file.name.split("_")[0]].append(file)
    speakers = sorted(clips, key=lambda s: (-len(clips[s]), s))[:3]
    lines = []
    for n, speaker in enumerate(speakers):
        for k, file in enumerate(clips[speaker][:6]):
            name = f"id{10001 + n}/{file.parent.name}/{k:05d}.wav"
            (tmp_path / "voxceleb1/wav" / name).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(file, tmp_path / "voxceleb1/wav" / name)
            lines.append(f"{'111123'[k]} {name}")
    (tmp_path / "voxceleb1/iden_split.txt").write_text("\n".join(lines))
    records = opened(tmp_path / "voxceleb1")
    assert np.bincount(records.y).tolist() == [4, 4, 4]
    waves = records.read(np.arange(12))
    assert waves.rate == 16_000
    assert bool((waves.wave.abs().amax(1) > 0.01).all())
