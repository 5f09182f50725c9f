"""What somebody brings: texts in tables, lines and folders, and classifiers that the transformers library saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mbti_core.errors import DataFormatError
from mbti_text.given import given_data, given_model


def test_a_table_alone_and_in_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text('text,label\n"a fine, fine film",good\ndull,bad\n')
    for path in (file, tmp_path):
        found = given_data(path)
        assert found is not None
        assert found.classes == ("bad", "good")
        assert found.records.y.tolist() == [1, 0]
        assert found.records.read(np.arange(2)) == ["a fine, fine film", "dull"]
        assert list(found.names) == ["mine.csv: line 2", "mine.csv: line 3"]


def test_lines_of_json_in_several_files(tmp_path: Path) -> None:
    for part in ("train", "test"):
        lines = [json.dumps({"text": f"{part} {n}", "label": n % 2}) for n in range(2)]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    found = given_data(tmp_path)
    assert found is not None
    assert found.classes == ("0", "1")
    assert found.records.read(np.arange(4)) == ["test 0", "test 1", "train 0", "train 1"]


def test_a_folder_per_class_as_export_writes_it(tmp_path: Path) -> None:
    for name, text in (("good", "schön 👍"), ("bad", "dull\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.txt").write_text(text, encoding="utf-8")
    (tmp_path / "rows.csv").write_text("file,index,label,truth,kind\n")
    found = given_data(tmp_path)
    assert found is not None
    assert (found.classes, list(found.names)) == (("bad", "good"), ["bad/0.txt", "good/0.txt"])
    assert found.records.read(np.arange(2)) == ["dull", "schön 👍"]


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    assert given_data(tmp_path) is None
    (tmp_path / "good").mkdir()
    (tmp_path / "good/0.txt").write_bytes(b"\xff\xfe\x00")
    found = given_data(tmp_path)
    assert found is not None
    with pytest.raises(DataFormatError, match=r"0\.txt: expected a text in UTF-8"):
        found.records.read(np.arange(1))
    (tmp_path / "a.csv").write_text("text,label\n")
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(DataFormatError, match="files of several kinds"):
        given_data(tmp_path)


def config(folder: Path, kind: str, *made: str) -> Path:
    (folder / "tokenizer.json").write_text("{}")
    labels = {"0": "bad", "1": "good"}
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "architectures": made, "id2label": labels}))
    return folder


def test_a_saved_classifier_is_known_by_its_config(tmp_path: Path) -> None:
    assert given_model(tmp_path) is None
    given = given_model(config(tmp_path, "bert", "BertForSequenceClassification"))
    assert given is not None
    assert (given.arch, given.classes) == ("text/huggingface", ("bad", "good"))
    with pytest.raises(DataFormatError, match="expected a classifier, found BertModel"):
        given_model(config(tmp_path, "bert", "BertModel"))
    (tmp_path / "config.json").write_text('{"model_type": "bert", "auto_map": {"AutoModel": "mine.Model"}}')
    with pytest.raises(DataFormatError, match="Python code of its own"):
        given_model(tmp_path)
