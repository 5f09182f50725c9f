"""The Levenshtein distance against the dynamic program of the textbook."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbti_text.edit_distance import edit_distance, similarity


def by_hand(a: Sequence[object], b: Sequence[object]) -> int:
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (x != y))
    return int(table[-1, -1])


@settings(max_examples=150, deadline=None)
@given(a=st.text("ab🎉c", max_size=14), b=st.text("ab🎉c", max_size=14))
def test_it_is_the_distance_of_the_textbook(a: str, b: str) -> None:
    assert edit_distance(a, b) == by_hand(a, b)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
        ("x" * 90, "y" * 70, 90),
    ],
)
def test_known_distances(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == distance


def test_long_texts_agree_and_words_count_as_items() -> None:
    rng = np.random.default_rng(0)
    a, b = ("".join(rng.choice(list("abcd"), n)) for n in (230, 200))
    assert edit_distance(a, b) == by_hand(a, b)
    assert edit_distance(["the", "film", "was", "good"], ["the", "film", "is", "not", "good"]) == 2


def test_similarity_is_a_share() -> None:
    assert similarity("abcd", "abcf") == 0.75
    assert similarity("", "") == 1.0
    assert similarity("abc", "") == 0.0
