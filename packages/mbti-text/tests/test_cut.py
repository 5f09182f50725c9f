"""Texts in pieces, and draws for each of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbti_core.data.rng import Draws
from mbti_text.cut import for_each, sentences, words

ODD = [
    "",
    " ",
    "one",
    " two words ",
    "a\tb\n\nc",
    "🎉 emoji 👩‍👩‍👧 here",
    "مرحبا بالعالم",
    "שלום עולם.",
    "漢字かな",
    "a\u00a0b\x00c",
]


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(codec="utf-8")) | st.sampled_from(ODD))
def test_nothing_is_lost_by_cutting(text: str) -> None:
    for cut in (words(text), sentences(text)):
        assert len(cut.pieces) == len(cut.gaps)
        assert cut.of_pieces(cut.pieces) == text
        assert cut.of_pairs(list(cut.pairs())) == text
    assert words(text).pieces == text.split()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "Go." Then he left...', ['He said "Go."', "Then he left..."]),
        ("one long string of cliches . ", ["one long string of cliches ."]),
        ("version 2.5 is out. now", ["version 2.5 is out.", "now"]),
        ("... and so on", ["...", "and so on"]),
        ("no end", ["no end"]),
        ("  ", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, wanted: list[str]) -> None:
    assert sentences(text).pieces == wanted


def test_the_end_of_a_text_stays_its_end() -> None:
    cut = words(" a  b\tc\n")
    pairs = list(cut.pairs())
    assert cut.of_pairs(pairs[:2]) == " a  b\n"
    assert cut.of_pairs(pairs[1:]) == " b\tc\n"
    assert cut.of_pairs([]) == " "


def test_draws_depend_on_the_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a b c", "", "a " * 50, "x"]
    index = torch.tensor([7, 1 << 40, 3, 12])
    draws = Draws(4)
    cuts = [words(text) for text in texts]
    whole = for_each(draws.uniform, index, cuts)
    assert [len(row) for row in whole] == [3, 0, 50, 1]
    monkeypatch.setattr("mbti_text.cut._CELLS", 60)  # one row at a time
    for rows in ([2, 0], [3], [1], [0, 1, 2, 3]):
        again = for_each(draws.uniform, index[rows], [cuts[row] for row in rows])
        assert [row.tolist() for row in again] == [whole[row].tolist() for row in rows]
    assert for_each(draws.uniform, index[:0], []) == []
