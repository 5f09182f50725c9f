"""Folders of Hugging Face's library, and parquet files in the layout of its hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataFormatError, DataUnavailableError, MbtiError
from mbti_text.datasets.huggingface import HuggingFace

TEXTS = ["one", "שלום 🎉", " two ", "three", "four", "five"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    HuggingFace().fixture(tmp_path)
    return tmp_path / "hf"


def opened(base: Path, part: Any = "train", **settings: Any) -> Records[list[str]]:
    records = HuggingFace(folder=str(base), **settings).load(part, Path("nowhere"))
    assert records is not None
    return records


def read(base: Path, part: Any = "train", **settings: Any) -> tuple[list[str], list[int]]:
    records = opened(base, part, **settings)
    return records.read(np.arange(len(records.y))), records.y.tolist()


def refused(base: Path, **settings: Any) -> MbtiError:
    with pytest.raises(MbtiError) as caught:
        read(base, **settings)
    assert caught.value.hint
    return caught.value


def parquet(file: Path, labels: Any, texts: Any = TEXTS, names: list[str] | None = None, **columns: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = pa.table({"text": texts, "label": labels, **columns})
    if names:
        features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
        rows = rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(rows, file, row_group_size=2)
    return file


def test_a_saved_folder(base: Path) -> None:
    source = HuggingFace()
    assert source.classes(base.parent) == ("no", "yes")
    x, y = read(base)
    assert x == [f"train {shard}.{row}" for shard in range(2) for row in range(12)]
    assert y == [0, 1] * 12
    records = opened(base)
    for rows in ([], [0, 11, 12, 23], [23, 4]):
        assert records.read(np.array(rows, dtype=np.int64)) == [x[row] for row in rows]
    assert len(read(base, "test")[0]) == 12
    assert source.load("validation", base.parent) is None
    assert [f.parent.name for f in source.files(base.parent)] == ["train", "train", "test", "test"]


def test_a_saved_part_without_others(base: Path) -> None:
    (x, y), (x_test, y_test) = (read(base / "train", part, test_share=0.25) for part in ("train", "test"))
    assert (len(x), len(x_test)) == (18, 6)
    assert (sum(y), sum(y_test)) == (9, 3)


@pytest.mark.parametrize(
    "name",
    ["train-0000{}-of-00002.parquet", "data/train-0000{}-of-00002-a09b74b3ef9c3b56.parquet", "train/000{}.parquet"],
)
def test_parquet_files_of_the_hub(name: str, tmp_path: Path) -> None:
    for shard in range(2):
        parquet(tmp_path / name.format(shard), [shard, 1, 0, 1, 0, 1], names=["neg", "pos"], idx=list(range(6)))
    parquet(tmp_path / "test.parquet", [1] * 6, names=["neg", "pos"])
    assert HuggingFace(folder=str(tmp_path)).classes(Path()) == ("neg", "pos")
    expected = [text.strip() for text in TEXTS]
    assert read(tmp_path) == (expected * 2, [0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1])
    assert read(tmp_path, "test")[1] == [1] * 6


def test_another_part_to_test_on(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", [0, 1] * 3, names=["neg", "pos"])
    parquet(tmp_path / "validation.parquet", [1, 0] * 3, names=["neg", "pos"])
    file = parquet(tmp_path / "test.parquet", [-1] * 6, names=["neg", "pos"])
    assert read(tmp_path, "test", test_split="validation")[1] == [1, 0] * 3
    with pytest.raises(DataFormatError) as caught:
        opened(tmp_path, "test")
    assert caught.value.message == f"{file}: row 0: expected a label among neg, pos, found '-1'."
    assert "choose a part with labels" in caught.value.hint
    assert "There is no part 'valid'" in refused(tmp_path, test_split="valid").message


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a"] * 3, ("a", "b")),
        ([10, 9] * 3, ("9", "10")),
        ([True, False] * 3, ("false", "true")),
        (pa.array([2, 1] * 3, pa.uint8()), ("1", "2")),
    ],
)
def test_labels_without_names_beside_them(labels: Any, classes: tuple[str, ...], tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", labels)
    parquet(tmp_path / "test.parquet", labels)
    assert HuggingFace(folder=str(tmp_path)).classes(Path()) == classes
    assert read(tmp_path)[1] == [1, 0] * 3


def test_large_strings_and_other_columns(tmp_path: Path) -> None:
    texts = pa.array(TEXTS, pa.large_string())
    parquet(tmp_path / "train.parquet", ["x"] * 6, texts=texts, stars=[1, 2, 3] * 2, body=texts)
    assert set(read(tmp_path, text="body", label="stars", test_share=0.5)[1]) == {0, 1, 2}


def test_files_that_are_not_whole(base: Path, tmp_path: Path) -> None:
    (base / "train/data-00001-of-00002.arrow").unlink()
    assert refused(base).message == f"{base / 'train'}: found 1 of 2 files."
    parquet(tmp_path / "train-00001-of-00003.parquet", [0, 1] * 3)
    assert refused(tmp_path).message == f"{tmp_path}: found 1 of 3 files."


@pytest.mark.parametrize("kept", [0, 20, -30])
def test_damaged_files(kept: int, base: Path, tmp_path: Path) -> None:
    shard = base / "train/data-00000-of-00002.arrow"
    shard.write_bytes(shard.read_bytes()[:kept])
    assert refused(base).message.startswith(f"{shard}: expected a whole arrow file; ")
    file = parquet(tmp_path / "train.parquet", [0, 1] * 3)
    file.write_bytes(file.read_bytes()[:kept])
    assert refused(tmp_path).message.startswith(f"{file}: expected a whole parquet file; ")


def test_other_states(base: Path) -> None:
    state = base / "train/state.json"
    content = json.loads(state.read_text())
    state.write_text(json.dumps({**content, "_indices_data_files": [{"filename": "indices.arrow"}]}))
    assert "chosen by an index beside them" in refused(base).message
    for broken in ("{", "{}", "[]"):
        state.write_text(broken)
        assert refused(base).message.startswith(f"{state}: expected what save_to_disk writes; ")
    state.unlink()
    assert isinstance(refused(base), DataUnavailableError)


def test_columns_and_types(tmp_path: Path) -> None:
    file = parquet(tmp_path / "train.parquet", [0.5] * 6)
    assert refused(tmp_path).message == f"{file}: expected label as names or integers; found double."
    error = refused(tmp_path, text="sentence")
    assert error.message == f"{file}: expected the columns sentence, label; found text, label."
    assert "dataset.text" in error.hint
    parquet(file, [0, 1] * 3, texts=list(range(6)))
    assert refused(tmp_path).message == f"{file}: expected text as strings; found int64."


def test_rows_without_something(tmp_path: Path) -> None:
    file = parquet(tmp_path / "train.parquet", [0, 1, 0, 1, None, 1])
    assert refused(tmp_path).message == f"{file}: row 4: there is no label."
    parquet(tmp_path / "test.parquet", [0, 1] * 3)
    for texts in (["a", "b", "c", None, "d", "e"], ["a", "b", "c", " \n", "d", "e"]):
        parquet(file, [0, 1] * 3, texts=texts)
        assert refused(tmp_path).message == f"{file}: row 3: the text is empty."
    parquet(file, [0, 1] * 3, texts=["a", "b\0", "c", "d", "e", "f"])
    assert "row 1: the text holds the character NUL at place 1" in refused(tmp_path).message
    parquet(file, pa.array([], pa.int64()), texts=pa.array([], pa.string()))
    assert refused(tmp_path).message == f"{file}: there are no rows."


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    latin = pa.array([b"caf\xe9"] * 6).cast(pa.binary()).view(pa.string())
    file = parquet(tmp_path / "train.parquet", [0, 1] * 3, texts=latin)
    message = refused(tmp_path).message
    assert message.startswith(f"{file}: expected a whole parquet file; ")
    assert "Invalid UTF8 sequence at string index 0" in message


def test_a_label_beyond_the_names(tmp_path: Path) -> None:
    file = parquet(tmp_path / "train.parquet", [0, 1, 2, 0, 1, 2], names=["neg", "pos"])
    assert refused(tmp_path).message == f"{file}: row 2: expected a label among neg, pos, found '2'."


def test_nothing_there(tmp_path: Path) -> None:
    error = refused(tmp_path / "mine")
    assert error.message == f"There is no part 'train' in arrow or parquet files in {tmp_path / 'mine'}."


@pytest.mark.slow
def test_what_the_library_itself_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails: Hugging Face's library has changed what it saves."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # its progress bars start a thread that stays
    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    rows = {"text": TEXTS, "label": [0, 1] * 3}
    part = datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))
    both = datasets.DatasetDict({"train": part, "test": part.select([5, 0, 3])})
    both.save_to_disk(tmp_path / "saved", num_shards={"train": 3, "test": 1})
    part.to_parquet(tmp_path / "hub/data/train-00000-of-00001.parquet")
    expected = [text.strip() for text in TEXTS]
    assert read(tmp_path / "saved") == (expected, rows["label"])
    assert read(tmp_path / "saved", "test") == ([expected[n] for n in (5, 0, 3)], [1, 0, 1])
    for folder in ("saved", "hub"):
        assert HuggingFace(folder=str(tmp_path / folder)).classes(Path()) == ("neg", "pos")
