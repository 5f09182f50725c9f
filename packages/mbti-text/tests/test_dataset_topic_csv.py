"""AG's News and DBpedia: comma-separated rows without a header."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.datasets.agnews import AgNews
from mbti_text.datasets.dbpedia import Dbpedia
from mbti_text.datasets.topic_csv import TopicCsv

BOTH: tuple[TopicCsv, ...] = (AgNews(), Dbpedia())


@pytest.fixture
def train_file(tmp_path: Path) -> Path:
    AgNews().fixture(tmp_path)
    return tmp_path / "ag_news_csv" / "train.csv"


def texts(source: TopicCsv, root: Path, part: Any = "train") -> tuple[list[str], list[int]]:
    records = source.load(part, root)
    assert records is not None
    return records.read(np.arange(len(records.y))), records.y.tolist()


def written(file: Path, content: str) -> tuple[list[str], list[int]]:
    file.write_text(content, encoding="utf-8")
    return texts(AgNews(), file.parents[1])


def refused(file: Path, content: str) -> DataFormatError:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataFormatError) as caught:
        AgNews().load("train", file.parents[1])
    assert caught.value.message.startswith(f"{file}: line ")
    return caught.value


@pytest.mark.parametrize("source", BOTH, ids=lambda s: s.component)
def test_reads_its_fixture(source: TopicCsv, tmp_path: Path) -> None:
    source.fixture(tmp_path)
    x, y = texts(source, tmp_path)
    classes = source.card().classes
    assert y == list(range(len(classes))) * 3
    assert x[1] == f"{classes[1]} Train row 1.0, about {classes[1]}; it costs \\$36\\n."
    assert x[len(classes) + 1].startswith("Train row 1.1")
    assert x[-1].startswith(f'a "{classes[-1]}" Train row')
    assert texts(source, tmp_path, "test")[1] == list(range(len(classes)))
    assert source.load("validation", tmp_path) is None
    assert [f.name for f in source.files(tmp_path)] == ["train.csv", "test.csv", "classes.txt"]


def test_classes_from_one_with_or_without_quotes(train_file: Path) -> None:
    assert written(train_file, '"1","A"," b "\n4,"C","d"\n') == (["A b", "C d"], [0, 3])


def test_empty_titles_are_left_out(train_file: Path) -> None:
    assert written(train_file, '1,"","b"\n2," ","c"\n3,A,\n') == (["b", "c", "A"], [0, 1, 2])


def test_quotes_commas_and_backslashes_stay_as_published(train_file: Path) -> None:
    content = '"3","a ""b"", c","Wall Street\'s dwindling\\band, \\n and \\$36, AT#38;T"\n'
    assert written(train_file, content)[0] == ['a "b", c Wall Street\'s dwindling\\band, \\n and \\$36, AT#38;T']


def test_rows_over_several_lines_are_read_again_where_they_are(train_file: Path) -> None:
    content = '1,"a","one\ntwo, ""three"""\r\n\n2,"b\u2028c","four"\n3,"d","five"'
    train_file.write_text(content, encoding="utf-8", newline="")
    records = AgNews().load("train", train_file.parents[1])
    assert records is not None
    assert records.read(np.array([1, 2])) == ["b\u2028c four", "d five"]
    assert records.read(np.array([0])) == ['a one\ntwo, "three"']


def test_class_names_of_another_collection(train_file: Path) -> None:
    (train_file.parent / "classes.txt").write_text("Negative\nPositive\n")
    with pytest.raises(
        DataFormatError, match=r"classes\.txt: expected the classes World, .*; found Negative, Positive"
    ):
        AgNews().load("train", train_file.parents[1])
    (train_file.parent / "classes.txt").unlink()
    assert len(texts(AgNews(), train_file.parents[1])[0]) == 12


@pytest.mark.parametrize("label", ["0", "5", "World"])
def test_a_label_out_of_range(label: str, train_file: Path) -> None:
    error = refused(train_file, f'"1","a","b"\n"{label}","c","d"\n')
    assert error.message.endswith(f"line 2: expected a label from 1 to 4, found '{label}'.")


def test_a_header(train_file: Path) -> None:
    error = refused(train_file, 'Class Index,Title,Description\n1,"a","b"\n')
    assert error.message.endswith("line 1: expected a label from 1 to 4, found 'Class Index'.")
    assert "no header line" in error.hint


def test_rows_of_another_form(train_file: Path) -> None:
    assert refused(train_file, '1,"a"\n').message.endswith("line 1: expected 3 fields (class, title, text), found 2.")
    assert refused(train_file, '1,"a","b"\n1,""," "\n').message.endswith("line 2: the text is empty.")
    assert "unexpected end of data" in refused(train_file, '1,"a","b"\n2,"open,c\n3,d,e\n').message
    assert "line 1: ',' expected after '\"'" in refused(train_file, '1,"a "b" c",d\n').message


def test_what_is_missing(train_file: Path, tmp_path: Path) -> None:
    train_file.unlink()
    with pytest.raises(DataUnavailableError, match=r"agnews is not whole in .*missing: train\.csv"):
        AgNews().files(tmp_path)
    with pytest.raises(DataUnavailableError, match=r"dbpedia is not in .*dbpedia_csv") as caught:
        Dbpedia().files(tmp_path)
    assert "mbti fetch dataset text/dbpedia" in caught.value.hint


@pytest.mark.parametrize(("source", "train", "test"), [(AgNews(), 6000, 1600), (Dbpedia(), 5000, 5000)])
def test_the_real_cuts(source: TopicCsv, train: int, test: int, real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    for part, count in (("train", train), ("test", test)):
        x, y = texts(source, real_root, part)
        assert len(x) == len(y) == count
        with (real_root / source.place / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert y == [int(c) - 1 for c, _, _ in rows]
        assert [" ".join(t.split()) for t in x] == [" ".join(f"{title} {text}".split()) for _, title, text in rows]
        assert set(y) == set(range(len(source.names)))
