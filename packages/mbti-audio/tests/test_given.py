"""What somebody brings: folders of clips, and classifiers that the transformers library saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mbti_audio.given import given_data, given_model
from mbti_audio.sample import INPUT
from mbti_core.contracts.model import ModelInfo
from mbti_core.errors import DataFormatError


def hum(path: Path, rate: int, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    n = np.arange(int(rate * seconds))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * n / rate), rate)


def test_clips_of_any_rate_come_at_that_of_the_model(tmp_path: Path) -> None:
    hum(tmp_path / "low/a.wav", 8000)
    hum(tmp_path / "high/b.flac", 44_100)
    info = ModelInfo("audio/m5", "audio", INPUT, 2, {"rate": 22_050})
    found = given_data(tmp_path, info)
    assert found is not None
    assert (found.classes, list(found.names)) == (("high", "low"), ["high/b.flac", "low/a.wav"])
    waves = found.records.read(np.arange(2))
    assert waves.rate == 22_050
    assert waves.lengths.tolist() == [11_025, 11_025]
    assert dict(found.facts) == {"rate": 22_050}


def test_without_a_model_they_come_at_16_khz_and_both_parts_count(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("low", "high"):
            hum(tmp_path / part / name / "a.wav", 8000)
    found = given_data(tmp_path, None)
    assert found is not None
    assert len(found.names) == 4
    assert found.records.read(np.arange(1)).rate == 16_000


def test_a_class_without_clips_is_said_and_other_folders_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    assert given_data(tmp_path, None) is None
    hum(tmp_path / "low/a.wav", 8000)
    with pytest.raises(DataFormatError, match="pictures holds no clip"):
        given_data(tmp_path, None)


def config(folder: Path, kind: str, *made: str) -> Path:
    labels = {"0": "yes", "1": "no"}
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "architectures": made, "id2label": labels}))
    return folder


def test_a_saved_classifier_is_known_by_its_config(tmp_path: Path) -> None:
    given = given_model(config(tmp_path, "hubert", "HubertForSequenceClassification"))
    assert given is not None
    assert (given.arch, given.classes, given.weights) == ("audio/hubert", ("yes", "no"), None)
    assert given.settings == {"path": str(tmp_path)}
    assert given_model(config(tmp_path, "bert", "BertForSequenceClassification")) is None
    with pytest.raises(DataFormatError, match="expected a classifier, found HubertModel"):
        given_model(config(tmp_path, "hubert", "HubertModel"))
