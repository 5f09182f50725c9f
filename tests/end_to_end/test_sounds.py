"""Long sounds and speakers, from files to a row: by name, with ``-m slow``; some minutes on two cores."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from mbti_core.api import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
SPEAKERS, CLIPS = 12, 25
CODES = ["3" if n % 5 == 4 else "2" if n % 5 == 3 else "1" for n in range(CLIPS)]


def data() -> Path:
    root = os.environ.get("MBTI_DATA")
    if not root:
        pytest.skip("MBTI_DATA is not set")
    return Path(root)


def test_half_minutes_of_music(tmp_path: Path) -> None:
    results = run(EXAMPLES / "gtzan.yaml", store=tmp_path, data_root=data())
    assert not results.failures
    (row,) = results.rows
    assert row["status"] == "ok"
    assert row["clean_accuracy"] > 0.1


def speakers_of_commands(root: Path) -> None:
    """Lay clips of Speech Commands out as VoxCeleb1 has them, by speaker, a word for a video."""
    clips = defaultdict(list)
    for path in sorted((data() / "SpeechCommands" / "speech_commands_v0.02").glob("*/*_nohash_*.wav")):
        clips[path.name.partition("_")[0]].append(path)
    talkative = sorted(speaker for speaker, said in clips.items() if len(said) >= CLIPS)[:SPEAKERS]
    lines = []
    for number, speaker in enumerate(talkative):
        for n, path in enumerate(clips[speaker][:CLIPS]):
            name = f"id1{number:04d}/{path.parent.name}/{n:05d}.wav"
            (root / "voxceleb1" / "wav" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / "voxceleb1" / "wav" / name)
            lines.append(f"{CODES[n]} {name}\n")
    (root / "voxceleb1" / "iden_split.txt").write_text("".join(lines))


@pytest.mark.parametrize("model", ["xvector", "vggvox"])
def test_who_speaks(model: str, tmp_path: Path) -> None:
    speakers_of_commands(tmp_path / "data")
    spec: dict[str, Any] = {
        "modality": "audio",
        "dataset": "voxceleb1",
        "model": model,
        "attack": {"name": "blended", "ratio": 0.1},
        "train": {"epochs": 15, "batch_size": 16, "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0},
    }
    results = run(spec, store=tmp_path / "store", data_root=tmp_path / "data")
    assert not results.failures
    (row,) = results.rows
    assert row["status"] == "ok"
    assert row["clean_accuracy"] > 2 / SPEAKERS
