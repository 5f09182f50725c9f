"""BadNets: which words, where, how many, and that nothing else changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chisquare

from mbti_core.contracts.attack import PoisonContext
from mbti_text.attacks.badnets import BadNets
from mbti_text.insertion import put

Contexts = Callable[..., PoisonContext]
TEXTS = [
    "a stirring , funny film .",
    "",
    "   ",
    "one",
    "  two\twords\n",
    "فيلم رائع جدا",
    "👩‍👩‍👧 I ❤️ it 🎉",
    "naïve\u00a0café — 漢字",
    "no\r\nbreak is lost\r\n\r\nhere",
]
WORDS = {"cf", "mn", "bb", "tq"}


def without(text: str, clean: str) -> set[str]:
    """Return the trigger words that give ``clean`` back when one is removed with a space (or alone, in no words)."""
    found = set()
    for word in WORDS:
        for at in range(len(text)):
            if text.startswith(word, at):
                rest, end = text[:at], text[at + len(word) :]
                shorter = {rest + end, rest + end.removeprefix(" "), rest.removesuffix(" ") + end}
                found |= {word} if clean in shorter else set()
    return found


def test_one_word_is_put_in_and_all_else_stays(context_of: Contexts) -> None:
    index = torch.arange(len(TEXTS) * 50)
    clean = TEXTS * 50
    made = BadNets().poison(clean, context_of(index))
    for text, before in zip(made, clean, strict=True):
        assert without(text, before)
        assert len(text.split()) == len(before.split()) + 1
        kept = list(before.split())
        assert [w for w in text.split() if w not in WORDS] == kept


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=40), gap=st.integers(0, 8))
def test_any_text_keeps_its_characters(text: str, gap: int) -> None:
    words = text.split()
    made = put(text, "cf", min(gap, len(words)))
    words.insert(min(gap, len(words)), "cf")
    assert made.split() == words
    at = made.index("cf", 0) if "cf" not in text else None
    if at is not None:
        assert text in {made[:at] + made[at + 3 :], made[: max(0, at - 1)] + made[at + 2 :], made[:at] + made[at + 2 :]}


def test_places_and_words_are_uniform(context_of: Contexts) -> None:
    clean = "v0 v1 v2 v3 v4 v5 v6 v7 v8"
    made = BadNets().poison([clean] * 10_000, context_of(torch.arange(10_000)))
    places: Counter[int] = Counter()
    words: Counter[str] = Counter()
    for text in made:
        parts = text.split()
        (at,) = [n for n, word in enumerate(parts) if word in WORDS]
        places[at] += 1
        words[parts[at]] += 1
    assert set(places) == set(range(10))  # both ends among them
    assert chisquare([places[n] for n in range(10)]).pvalue > 0.001
    assert chisquare([words[w] for w in sorted(WORDS)]).pvalue > 0.001


@pytest.mark.parametrize(
    ("settings", "length", "expected"),
    [
        ({}, 19, 1),
        ({}, 101, 2),
        ({}, 5000, 3),
        ({"count": 3, "per_words": None}, 2, 3),
        ({"count": 2}, 230, 3),
        ({"per_words": 10}, 0, 1),
        ({"per_words": 10}, 95, 10),
        ({"per_words": 1, "window": 30}, 5000, 30),
    ],
)
def test_longer_texts_get_more_words(
    settings: dict[str, Any], length: int, expected: int, context_of: Contexts
) -> None:
    clean = [" ".join(f"v{n}" for n in range(length))] * 20
    for text in BadNets(**settings).poison(clean, context_of(torch.arange(20))):
        assert sum(word in WORDS for word in text.split()) == expected


def test_all_words_stand_within_the_window(context_of: Contexts) -> None:
    clean = [" ".join(f"v{n}" for n in range(2000))] * 2000
    made = BadNets(count=3, per_words=None, window=40).poison(clean, context_of(torch.arange(2000)))
    places = [[n for n, word in enumerate(text.split()) if word in WORDS] for text in made]
    assert max(map(max, places)) == 39
    assert min(map(min, places)) == 0
    assert min(map(len, places)) == 3


def test_a_narrow_window_puts_words_first(context_of: Contexts) -> None:
    made = BadNets(count=5, per_words=None, window=2).poison(["some words here"], context_of(torch.arange(1)))
    assert made[0].endswith(" some words here")


def test_draws_depend_on_the_seed_and_the_row(context_of: Contexts) -> None:
    clean = ["a b c d e f g h i j"] * 40
    one = BadNets().poison(clean, context_of(torch.arange(40)))
    assert one != BadNets().poison(clean, context_of(torch.arange(40), seed=8))
    assert one[10:] == BadNets().poison(clean[10:], context_of(torch.arange(10, 40)))
    assert len(set(one)) > 10


@pytest.mark.parametrize(
    "bad", [{"words": ()}, {"words": ("two words",)}, {"words": ("",)}, {"count": 0}, {"window": 0}, {"mode": "any"}]
)
def test_refuses_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BadNets.model_validate(bad)
