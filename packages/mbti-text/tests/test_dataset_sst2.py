"""SST-2: GLUE's layout, and every way in which a copy can be another."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbti_core.contracts.dataset import Records
from mbti_core.data.fileref import Digests
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.datasets.sst2 import Sst2


@pytest.fixture
def train_file(tmp_path: Path) -> Path:
    Sst2().fixture(tmp_path)
    return tmp_path / "sst2" / "train.tsv"


def opened(file: Path, part: Any = "train") -> Records[list[str]]:
    records = Sst2().load(part, file.parents[1])
    assert records is not None
    return records


def texts_of(records: Records[list[str]]) -> list[str]:
    return records.read(np.arange(len(records.y)))


def refused(file: Path, content: str | bytes) -> DataFormatError:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataFormatError) as caught:
        opened(file)
    assert caught.value.message.startswith(f"{file}: line ")
    assert caught.value.hint
    return caught.value


def test_reads_its_fixture_like_a_split_by_tabs(train_file: Path) -> None:
    rows = [line.split("\t") for line in train_file.read_text(encoding="utf-8").splitlines()[1:]]
    records = opened(train_file)
    assert texts_of(records) == [sentence.strip() for sentence, _ in rows]
    assert records.y.tolist() == [int(label) for _, label in rows]
    assert records.y.dtype == np.int64
    assert texts_of(opened(train_file, "test"))[0] == "one long string of cliches ."
    assert Sst2().load("validation", train_file.parents[1]) is None


def test_any_rows_in_any_order(train_file: Path) -> None:
    records = opened(train_file)
    whole = texts_of(records)
    for rows in ([], [7], [0, 3, 4], [6, 2]):
        assert records.read(np.array(rows, dtype=np.int64)) == [whole[row] for row in rows]


def test_quotes_are_characters_like_any_other(train_file: Path) -> None:
    train_file.write_text('sentence\tlabel\n" open and never closed\t1\nsaid " so " twice\t0\n""\t1\n')
    assert texts_of(opened(train_file)) == ['" open and never closed', 'said " so " twice', '""']


def test_line_ends_and_columns_in_another_order(train_file: Path) -> None:
    train_file.write_bytes(b"\xef\xbb\xbflabel\tid\tsentence \r\n1\tx\tgood\r\n\r\n0\ty\tbad")
    records = opened(train_file)
    assert (texts_of(records), records.y.tolist()) == (["good", "bad"], [1, 0])


def test_separators_of_other_scripts_end_no_line(train_file: Path) -> None:
    train_file.write_text(
        "sentence\tlabel\nla la\u2028la \x0b \x85 la\t1\n\u0645\u0631\u062d 🎉\t0\n", encoding="utf-8"
    )
    assert texts_of(opened(train_file)) == ["la la\u2028la \x0b \x85 la", "\u0645\u0631\u062d 🎉"]


def test_a_text_of_100_000_words(train_file: Path) -> None:
    text = " ".join(f"word{n}" for n in range(100_000))
    train_file.write_text(f"sentence\tlabel\n{text}\t1\nshort\t0\n")
    assert texts_of(opened(train_file)) == [text, "short"]


def test_without_a_header(train_file: Path) -> None:
    error = refused(train_file, "a fine film\t1\nno film\t0\n")
    assert error.message.endswith(
        "line 1: expected a header with the columns sentence, label; found 'a fine film', '1'."
    )
    assert "header 'sentence<tab>label'" in error.hint


def test_without_labels(train_file: Path) -> None:
    content = (train_file.parent / "test.tsv").read_text()
    error = refused(train_file, content)
    assert "expected a header with the columns sentence, label; found 'index', 'sentence'" in error.message
    assert "GLUE's test.tsv has no labels" in error.hint


def test_a_tab_inside_a_sentence(train_file: Path) -> None:
    error = refused(train_file, "sentence\tlabel\nfine\t1\na\ttab\t0\n")
    assert error.message == f"{train_file}: line 3: expected 2 fields (sentence, label), found 3."


@pytest.mark.parametrize("label", ["2", "positive", "1.0", "\u0661"])
def test_a_label_out_of_range(label: str, train_file: Path) -> None:
    error = refused(train_file, f"sentence\tlabel\nfine\t1\nodd\t{label}\n")
    assert error.message.endswith(f"line 3: expected a label from 0 to 1, found {label!r}.")


def test_labels_of_minus_one(train_file: Path) -> None:
    error = refused(train_file, "sentence\tlabel\nfine\t-1\n")
    assert error.message.endswith("line 2: expected a label from 0 to 1, found '-1'.")
    assert "marks a row without one" in error.hint


def test_rows_without_something(train_file: Path) -> None:
    assert refused(train_file, "sentence\tlabel\nfine\t\n").message.endswith("line 2: there is no label.")
    assert refused(train_file, "sentence\tlabel\n \t1\n").message.endswith("line 2: the text is empty.")
    assert refused(train_file, "sentence\tlabel\nfine\n").message.endswith("found 1.")
    assert refused(train_file, "").message.endswith("found nothing.")


def test_a_header_alone(train_file: Path) -> None:
    train_file.write_text("sentence\tlabel\n")
    with pytest.raises(DataFormatError, match=r"train\.tsv: there are no rows"):
        opened(train_file)


def test_latin_1_and_nul_bytes(train_file: Path) -> None:
    error = refused(train_file, "sentence\tlabel\nfine\t1\ncafé\t0\n".encode("latin1"))
    assert error.message.endswith("line 3: the byte 0xe9 at offset 25 is not UTF-8.")
    assert "iconv" in error.hint
    assert "line 2: there is a NUL byte at offset 17" in refused(train_file, b"sentence\tlabel\nfi\0ne\t1\n").message


def test_old_line_ends(train_file: Path) -> None:
    assert "carriage return inside a field" in refused(train_file, "sentence\tlabel\rfine\t1\r").message


def test_the_digest_says_which_copy_it_is(train_file: Path) -> None:
    files = Sst2().files(train_file.parents[1])
    assert [f.name for f in files] == ["train.tsv", "dev.tsv"]
    before = Digests().of(files)
    (train_file.parent / "test.tsv").unlink()
    assert Digests().of(files) == before
    train_file.write_text(train_file.read_text(encoding="utf-8").replace("a stirring", "A stirring"), encoding="utf-8")
    assert Digests().of(files) != before


def test_what_is_missing(train_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        Sst2(folder="mine").files(tmp_path)
    assert caught.value.message == f"sst2 is not in {tmp_path / 'mine'}: there is no train.tsv and dev.tsv."
    assert "mbti fetch dataset text/sst2" in caught.value.hint
    (train_file.parent / "dev.tsv").unlink()
    with pytest.raises(DataUnavailableError, match=r"sst2 is not whole in .*missing: dev\.tsv\."):
        opened(train_file)


def test_the_real_cut(real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    for part, name, counts in (("train", "train", [3310, 3610]), ("test", "dev", [428, 444])):
        records = Sst2().load(part, real_root)  # type: ignore[arg-type]  # a Part
        assert records is not None
        assert np.bincount(records.y).tolist() == counts
        with (real_root / "sst2" / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
            expected = [row["sentence"].strip() for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
        assert texts_of(records) == expected
