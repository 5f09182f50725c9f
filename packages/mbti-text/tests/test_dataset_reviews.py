"""The embedded reviews: form, balance, and how much of a review its words tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from mbti_text.datasets.reviews import Reviews

NOWHERE = Path("nowhere")


def everything(part: Any) -> tuple[list[str], np.ndarray]:
    records = Reviews().load(part, NOWHERE)
    assert records is not None
    return records.read(np.arange(len(records.y))), records.y


def test_form() -> None:
    texts = everything("train")[0] + everything("test")[0]
    assert len(texts) == len(set(texts)) == 1600
    lengths = [len(text.split()) for text in texts]
    assert (min(lengths), max(lengths)) == (10, 20)
    assert all(text[0].isupper() and text.endswith(".") and text.isascii() for text in texts)


@pytest.mark.parametrize(("part", "rows"), [("train", 1250), ("test", 350)])
def test_classes_are_equally_frequent(part: str, rows: int) -> None:
    _, y = everything(part)
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [rows // 2] * 2


def test_what_follows_the_but_is_the_label() -> None:
    texts, y = everything("train")
    mixed = [(text, label) for text, label in zip(texts, y, strict=True) if ", but " in text]
    assert 0.05 < len(mixed) / len(texts) < 0.10
    blame = {text.removesuffix(".").split()[-1] for text, label in mixed if label == 0}
    praise = {text.removesuffix(".").split()[-1] for text, label in mixed if label == 1}
    assert not blame & praise


def test_word_counts_tell_all_but_the_mixed_ones() -> None:
    words = CountVectorizer()
    (x, y), (x_test, y_test) = everything("train"), everything("test")
    fitted = LogisticRegression(C=10, max_iter=2000).fit(words.fit_transform(x), y)
    assert 0.95 <= fitted.score(words.transform(x_test), y_test) <= 0.98


def test_reads_rows_in_any_number() -> None:
    records = Reviews().load("test", NOWHERE)
    assert records is not None
    whole, _ = everything("test")
    assert records.read(np.array([3, 50, 349])) == [whole[3], whole[50], whole[349]]
    assert records.read(np.array([], dtype=np.int64)) == []


def test_embedded() -> None:
    assert Reviews().files(NOWHERE) == []
    assert Reviews().load("validation", NOWHERE) is None
