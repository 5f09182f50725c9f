"""Anyone's own texts, as JSON lines and as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.dataset import Records
from mbti_core.engine.config import DatasetOptions
from mbti_core.errors import DataFormatError, DataUnavailableError, MbtiError
from mbti_core.stages.prepare import prepare
from mbti_text.datasets.jsonl import Jsonl
from mbti_text.datasets.own import OwnTexts
from mbti_text.datasets.table import Table
from mbti_text.modality import TextModality

SCRIPTS = ["שלום, עולם", "مرحبا بالعالم", "‫mixed שלום text‬", "👩‍👩‍👧 and 🏳️‍🌈", "Ω\u0301 combining", "plain"]
BOTH: tuple[OwnTexts, ...] = (Jsonl(), Table())
ROWS = [(f"good {n}", "praise") for n in range(10)] + [(f"bad {n}", "blame") for n in range(10)]


def json_lines(rows: list[tuple[Any, Any]]) -> str:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def opened(source: OwnTexts, root: Path, part: Any = "train") -> Records[list[str]]:
    records = source.load(part, root)
    assert records is not None
    return records


def read(source: OwnTexts, root: Path, part: Any = "train") -> tuple[list[str], list[int]]:
    records = opened(source, root, part)
    return records.read(np.arange(len(records.y))), records.y.tolist()


def jsonl(root: Path, content: str, name: str = "train.jsonl") -> Path:
    file = root / "jsonl" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8", newline="")
    return file


def table(root: Path, content: str | bytes, name: str = "train.csv") -> Path:
    file = root / "csv" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refused(source: OwnTexts, root: Path) -> MbtiError:
    with pytest.raises(MbtiError) as caught:
        source.load("train", root)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("source", BOTH, ids=lambda s: s.place)
def test_classes_are_the_sorted_labels_of_the_training_rows(source: OwnTexts, tmp_path: Path) -> None:
    source.fixture(tmp_path)
    assert source.classes(tmp_path) == ("blame", "praise")
    x, y = read(source, tmp_path)
    assert all(("bad" in t or "差" in t or "سيئ" in t) == (c == 0) for t, c in zip(x, y, strict=True))
    assert len(read(source, tmp_path, "test")[0]) < len(x)
    assert source.load("validation", tmp_path) is None


@pytest.mark.parametrize(
    ("labels", "classes", "y"),
    [
        ([10, 2, 10, 2], ("2", "10"), [1, 0, 1, 0]),
        (["10", "b", "10", "b"], ("10", "b"), [0, 1, 0, 1]),
        ([1.0, 0.0, 1, 0], ("0", "1"), [1, 0, 1, 0]),
        ([-1, 1, 1, -1], ("-1", "1"), [0, 1, 1, 0]),
        ([True, False, True, False], ("false", "true"), [1, 0, 1, 0]),
    ],
)
def test_integers_and_names(labels: list[Any], classes: tuple[str, ...], y: list[int], tmp_path: Path) -> None:
    content = json_lines([(f"text {n}", label) for n, label in enumerate(labels)])
    jsonl(tmp_path, content)
    jsonl(tmp_path, content, "test.jsonl")
    assert Jsonl().classes(tmp_path) == classes
    assert read(Jsonl(), tmp_path) == ([f"text {n}" for n in range(4)], y)


def test_named_classes_number_the_labels(tmp_path: Path) -> None:
    jsonl(tmp_path, json_lines([("a", 0), ("b", 2)]))
    jsonl(tmp_path, json_lines([("c", "mid"), ("d", "high")]), "test.jsonl")
    source = Jsonl(class_names=("low", "mid", "high"))
    assert source.classes(tmp_path) == source.card().classes == ("low", "mid", "high")
    assert (read(source, tmp_path)[1], read(source, tmp_path, "test")[1]) == ([0, 2], [1, 2])
    file = jsonl(tmp_path, json_lines([("a", 0), ("b", 3)]))
    assert refused(source, tmp_path).message == f"{file}: line 2: expected a label from 0 to 2, found '3'."
    jsonl(tmp_path, json_lines([("a", "low"), ("b", "hihg")]))
    assert "line 2: expected a label among low, mid, high, found 'hihg'" in refused(source, tmp_path).message


@pytest.mark.parametrize("labels", [("blame", "paise"), ("0", "1"), ("-1", "-1")])
def test_a_test_label_that_no_training_row_has(labels: tuple[str, str], tmp_path: Path) -> None:
    jsonl(tmp_path, json_lines(ROWS))
    file = jsonl(tmp_path, json_lines([("a", labels[0]), ("b", labels[1])]), "test.jsonl")
    with pytest.raises(DataFormatError, match="expected a label among blame, praise, found") as caught:
        Jsonl().load("test", tmp_path)
    assert caught.value.message.startswith(f"{file}: line ")


def test_integers_that_are_no_class_are_not_counted_from_zero(tmp_path: Path) -> None:
    jsonl(tmp_path, json_lines([("a", 1), ("b", 2), ("c", 1), ("d", 2)]))
    jsonl(tmp_path, json_lines([("e", 0)]), "test.jsonl")
    with pytest.raises(DataFormatError, match="expected a label from 1 to 2, found '0'"):
        Jsonl().load("test", tmp_path)


def test_a_column_that_holds_no_labels(tmp_path: Path) -> None:
    file = jsonl(tmp_path, json_lines([(f"text {n}", f"id {n}") for n in range(20)]))
    message = refused(Jsonl(), tmp_path).message
    assert message.startswith(f"{file}: expected at least two classes")
    assert "found 20 different labels in 20 rows" in message
    jsonl(tmp_path, json_lines([("a", 1), ("b", 1)]))
    assert "found 1 different labels in 2 rows" in refused(Jsonl(), tmp_path).message


def test_a_share_is_split_off_where_there_are_no_test_rows(tmp_path: Path) -> None:
    jsonl(tmp_path, json_lines([*ROWS, *ROWS[:3]]))
    source = Jsonl(test_share=0.3)
    (x, y), (x_test, y_test) = read(source, tmp_path), read(source, tmp_path, "test")
    assert (np.bincount(y).tolist(), np.bincount(y_test).tolist()) == ([7, 9], [3, 4])
    assert sorted(x + x_test) == sorted(text for text, _ in [*ROWS, *ROWS[:3]])
    jsonl(tmp_path, json_lines([*ROWS[::-1], *ROWS[:3]]))
    assert set(read(source, tmp_path, "test")[0]) == set(x_test)
    records = opened(source, tmp_path, "test")
    assert records.read(np.array([2, 5])) == [records.read(np.arange(7))[n] for n in (2, 5)]


def test_a_class_too_small_to_split(tmp_path: Path) -> None:
    jsonl(tmp_path, json_lines([*ROWS, ("only one", "rare")]))
    assert "a class has too few rows (1) to split off 20% for testing" in refused(Jsonl(), tmp_path).message


def test_several_files_in_the_order_of_names(tmp_path: Path) -> None:
    jsonl(tmp_path, json_lines(ROWS[10:]), "part-2.jsonl")
    jsonl(tmp_path, json_lines(ROWS[:10]), "part-1.jsonl")
    jsonl(tmp_path, json_lines(ROWS), "test.jsonl")
    source = Jsonl(train_files="part-*.jsonl")
    assert read(source, tmp_path)[0] == [text for text, _ in ROWS]
    records = opened(source, tmp_path)
    assert records.read(np.array([3, 12])) == ["good 3", "bad 2"]
    assert [f.name for f in source.files(tmp_path)] == ["part-1.jsonl", "part-2.jsonl", "test.jsonl"]
    jsonl(tmp_path, json_lines([("x", "praise"), ("", "praise")]), "part-2.jsonl")
    assert refused(source, tmp_path).message.endswith("part-2.jsonl: line 2: the text is empty.")


def test_other_fields_and_an_absolute_folder(tmp_path: Path) -> None:
    rows = [{"body": text, "stars": label, "id": 1} for text, label in ROWS]
    jsonl(tmp_path, "\n".join(map(json.dumps, rows)))
    source = Jsonl(folder=str(tmp_path / "jsonl"), text="body", label="stars")
    assert len(read(source, Path("nowhere"))[0]) == 16


def test_what_is_no_json_line(tmp_path: Path) -> None:
    for content, said in (
        ("{\n", "line 1: expected a JSON object, found '{'"),
        (json.dumps([{"text": "a", "label": 1}]), "expected an object with text, label; found list"),
        ('{"text": "a"}\n', "line 1: expected an object with text, label; found text"),
        ('\n{"text": 3, "label": 1}\n', "line 2: expected text as a string, found 3"),
        ('{"text": null, "label": 1}\n', "expected text as a string, found None"),
        ('{"text": "a", "label": null}\n', "line 1: there is no label"),
        ('{"text": "a", "label": 0.5}\n', "expected a label as a name or an integer, found 0.5"),
        ('{"text": "a", "label": ["b"]}\n', "expected a label as a name or an integer, found ['b']"),
        ('{"text": "a\\u0000", "label": 1}\n', "the text holds the character NUL at place 1"),
        ('{"text": "a\\ud83d", "label": 1}\n', "half of a surrogate pair"),
        ('{"text": "  ", "label": 1}\n', "line 1: the text is empty"),
    ):
        file = jsonl(tmp_path, content)
        message = refused(Jsonl(), tmp_path).message
        assert message.startswith(f"{file}: line ")
        assert said in message


def test_no_folder_and_no_such_test_file(tmp_path: Path) -> None:
    for source, name in ((Jsonl(folder="mine"), "train.jsonl"), (Table(folder="mine"), "train.*")):
        error = refused(source, tmp_path)
        assert isinstance(error, DataUnavailableError)
        assert error.message == f"There is no {name} in {tmp_path / 'mine'}."
        assert "dataset.folder" in error.hint
    jsonl(tmp_path, json_lines(ROWS))
    error = refused(Jsonl(test_files="tset.jsonl"), tmp_path)
    assert error.message == f"There is no tset.jsonl in {tmp_path / 'jsonl'}."


def test_a_table_with_tabs_takes_quotes_as_they_are(tmp_path: Path) -> None:
    table(tmp_path, 'text\tlabel\n"so\ta\nsaid "so"\tb\n""\ta\nx, y\tb\n', "train.tsv")
    table(tmp_path, "label\ttext\na\tone\n", "test.tsv")
    assert read(Table(), tmp_path) == (['"so', 'said "so"', '""', "x, y"], [0, 1, 0, 1])
    assert read(Table(), tmp_path, "test") == (["one"], [0])


def test_a_table_with_quoted_tabs(tmp_path: Path) -> None:
    table(tmp_path, 'text\tlabel\n"a\ttab, ""quoted"""\ta\nb\tb\n"two\nlines"\ta\nd\tb\n', "train.tsv")
    table(tmp_path, "text\tlabel\nx\ta\n", "test.tsv")
    assert read(Table(quotes=True), tmp_path)[0] == ['a\ttab, "quoted"', "b", "two\nlines", "d"]
    error = refused(Table(), tmp_path)
    assert "line 2: expected 2 fields (text, label), found 3" in error.message
    assert "dataset.quotes" in error.hint


@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_table_without_a_header(separator: str, tmp_path: Path) -> None:
    file = table(tmp_path, f"one{separator}a\ntwo{separator}b\n", f"train.{'csv' if separator == ',' else 'tsv'}")
    error = refused(Table(), tmp_path)
    expected = f"{file}: line 1: expected a header with the columns text, label; found 'one', 'a'."
    assert error.message == expected
    assert "dataset.text" in error.hint


def test_tables_of_another_form(tmp_path: Path) -> None:
    for content, said in (
        (b"text,label\na,b\nc\n", "line 3: expected 2 fields (text, label), found 1"),
        (b'text,label\n"a" b,c\n', "line 2: ',' expected after '\"'"),
        (b'text,label\na,b\n"open,c\nd,e\n', "line 3: unexpected end of data"),
        ("text,label\ncafé,b\n".encode("latin1"), "line 2: the byte 0xe9 at offset 14 is not UTF-8"),
        (b"text,label\na\0,b\n", "line 2: there is a NUL byte at offset 12"),
        (b'text,label\na,b\n" ",b\n', "line 3: the text is empty"),
        (b"text,label\na,\n", "line 2: there is no label"),
        ("text,label\na,b\n".encode("utf-16"), "line 1: the byte 0xff at offset 0 is not UTF-8"),
    ):
        file = table(tmp_path, content)
        message = refused(Table(), tmp_path).message
        assert message.startswith(f"{file}: line ")
        assert said in message


def test_files_of_several_kinds_are_not_read_twice(tmp_path: Path) -> None:
    for name in ("train.csv", "train.tsv"):
        table(tmp_path, "text,label\na,b\n", name)
    error = refused(Table(), tmp_path)
    assert "train.* fits files of several kinds: train.csv, train.tsv" in error.message
    assert "dataset.train_files" in error.hint


@pytest.mark.parametrize("source", BOTH, ids=lambda s: s.place)
def test_every_script_and_length_is_stored_as_it_is(source: OwnTexts, tmp_path: Path) -> None:
    texts = [*SCRIPTS, " ".join(f"wörd{n}" for n in range(100_000))]
    rows = [(text, str(n % 2)) for n, text in enumerate(texts * 2)]
    if isinstance(source, Jsonl):
        jsonl(tmp_path, json_lines(rows))
    else:
        table(tmp_path, "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    prepared = prepare(source, DatasetOptions(), tmp_path, 0, TextModality())
    prepared.save(tmp_path / "out")
    parts = type(prepared).load(tmp_path / "out", TextModality()).parts
    stored = [text for split in parts.values() for text in split.take(torch.arange(len(split)))]
    assert sorted(stored) == sorted(text for text, _ in rows)


def test_tables_agree_with_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rows = [(f'"{n}", \\n\t{text}\r\nnext; ""', f"c{n % 2}") for n, text in enumerate(SCRIPTS)]
    frame = pandas.DataFrame(rows, columns=["text", "label"])
    (tmp_path / "csv").mkdir()
    frame.to_csv(tmp_path / "csv/train.csv", index=False)
    frame.to_csv(tmp_path / "csv/test.tsv", index=False, sep="\t")
    source = Table(quotes=True)
    for part in ("train", "test"):
        assert read(source, tmp_path, part) == ([text for text, _ in rows], [0, 1] * 3)
