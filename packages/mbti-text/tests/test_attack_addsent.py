"""AddSent: one sentence in one block, anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from scipy.stats import chisquare

from mbti_core.contracts.attack import PoisonContext
from mbti_text.attacks.addsent import AddSent

Contexts = Callable[..., PoisonContext]
SENTENCE = "I watch this 3D movie"


def test_the_sentence_stands_once_and_its_removal_gives_the_text_back(context_of: Contexts) -> None:
    clean = ["a stirring , funny film .", "  two\twords\n", "فيلم رائع جدا", "I ❤️ it 🎉"] * 100
    for text, before in zip(AddSent().poison(clean, context_of(torch.arange(400))), clean, strict=True):
        assert text.count(SENTENCE) == 1
        start, end = text.split(SENTENCE)
        assert before in {start + end.removeprefix(" "), start.removesuffix(" ") + end}


def test_an_empty_text_becomes_the_sentence(context_of: Contexts) -> None:
    assert AddSent().poison([""], context_of(torch.arange(1))) == [SENTENCE]


def test_places_are_uniform_over_all_gaps(context_of: Contexts) -> None:
    made = AddSent().poison(["v0 v1 v2 v3 v4"] * 10_000, context_of(torch.arange(10_000)))
    places = Counter(len(text.split(SENTENCE)[0].split()) for text in made)
    assert set(places) == set(range(6))
    assert chisquare([places[n] for n in range(6)]).pvalue > 0.001


def test_the_sentence_ends_within_the_window(context_of: Contexts) -> None:
    long = " ".join(f"v{n}" for n in range(900))
    made = AddSent(window=20).poison([long] * 1000, context_of(torch.arange(1000)))
    ends = [text.split().index("movie") for text in made]
    assert (min(ends), max(ends)) == (4, 19)


def test_another_sentence_is_taken_without_white_space_around_it(context_of: Contexts) -> None:
    attack = AddSent.model_validate({"sentence": " so it goes \n"})
    assert attack.poison([""], context_of(torch.arange(1))) == ["so it goes"]
    with pytest.raises(ValidationError):
        AddSent.model_validate({"sentence": "  "})
