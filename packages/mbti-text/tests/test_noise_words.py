"""Noise on words and sentences."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_text.noise.sentences import ADDED, SentenceErrors
from mbti_text.noise.words import WordErrors
from mbti_text.typos import KEYBOARD, MISSPELLINGS, OCR

ODD = [
    "",
    " ",
    "film",
    "🎉",
    "a 🎉 👩‍👩‍👧 b",
    "مرحبا بالعالم هذا فيلم",
    "שלום עולם. עוד משפט.",
    "漢字かな",
    "a\tb\n c",
    "... !!",
]
LONG = ["one two three four five six seven eight nine ten"] * 400
STORY = ["It was late. Nobody came! Why not? The end"] * 400


def context(index: torch.Tensor, seed: int = 5) -> NoiseContext:
    return NoiseContext(index, index % 2, 2, Draws(seed))


def applied(noise: Any, texts: list[str], seed: int = 5) -> list[str]:
    found: list[str] = noise.apply(texts, context(torch.arange(len(texts)), seed))
    return found


NOISES = [
    *(
        WordErrors(level=1, actions=(a,))
        for a in ("keyboard", "ocr", "random", "spelling", "delete", "swap", "duplicate")
    ),
    *(SentenceErrors(level=1, actions=(a,)) for a in ("shuffle", "delete", "duplicate", "insert")),
    *(WordErrors(), WordErrors(level=1), SentenceErrors(), SentenceErrors(level=1)),
]


@pytest.mark.parametrize("noise", NOISES, ids=lambda n: "-".join([type(n).__name__, f"{n.level:g}", *n.actions[:1]]))
def test_any_text_stays_a_text_and_rows_depend_on_nothing_else(noise: Any) -> None:
    texts = [*ODD, *LONG[:3], *STORY[:3]]
    before, index = list(texts), torch.arange(len(texts)) * 11
    whole = noise.apply(texts, context(index))
    assert texts == before
    assert [bool(text.strip()) for text in whole] == [bool(text.strip()) for text in texts]  # none is emptied
    assert all(text.encode().decode() == text for text in whole)
    for size in (1, 7):
        parts = [
            noise.apply(texts[at : at + size], context(index[at : at + size])) for at in range(0, len(texts), size)
        ]
        assert [text for part in parts for text in part] == whole
    assert noise.apply(texts[::-1], context(index.flip(0)))[::-1] == whole
    assert noise.apply(texts, context(index, seed=6)) != whole or len(noise.actions) == 1


@pytest.mark.parametrize("noise", [WordErrors(level=0), SentenceErrors(level=0)])
def test_level_zero_is_the_identity(noise: Any) -> None:
    assert applied(noise, [*ODD, *STORY]) == [*ODD, *STORY]


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_each_word_is_hit_at_the_level(level: float) -> None:
    noisy = applied(WordErrors(level=level, actions=("random",)), LONG)
    hit = sum(a != b for x, y in zip(LONG, noisy, strict=True) for a, b in zip(x.split(), y.split(), strict=True))
    assert stats.binomtest(hit, 4000, level).pvalue > 0.001
    more = applied(WordErrors(level=2 * level, actions=("random",)), LONG)
    for x, some, all_ in zip(LONG, noisy, more, strict=True):
        kept = [(b, c) for a, b, c in zip(x.split(), some.split(), all_.split(), strict=True) if a != b]
        assert all(b == c for b, c in kept)  # what is hit at a level is hit in the same way at a higher one


@pytest.mark.parametrize(("action", "table"), [("keyboard", KEYBOARD), ("ocr", OCR)])
def test_letters_become_their_neighbors_and_their_likes(action: Any, table: dict[str, str]) -> None:
    noisy = applied(WordErrors(level=1, actions=(action,)), ["Slow 2005 big movie goes on"] * 100)
    changed = 0
    for text in noisy:
        for word, wrong in zip(["Slow", "2005", "big", "movie", "goes", "on"], text.split(), strict=True):
            pairs = [(a, b) for a, b in zip(word, wrong, strict=True) if a != b]
            assert len(pairs) == min(max(1, round(0.3 * len(word))), sum(c in table for c in word))
            assert all(b in table[a] for a, b in pairs)
            changed += len(pairs)
    assert changed > 400


def test_the_keyboard_is_a_keyboard() -> None:
    assert set(KEYBOARD["g"]) == set("fhtyvb")
    assert set(KEYBOARD["A"]) == set("QWSZ")
    assert set(KEYBOARD["1"]) == {"2"}
    assert all(a in KEYBOARD[b] for a, near in KEYBOARD.items() for b in near)
    assert all(a in OCR[b] for a, like in OCR.items() for b in like)


def test_misspellings_are_misspelled() -> None:
    assert all(word == word.lower() and word not in wrong and all(wrong) for word, wrong in MISSPELLINGS.items())
    assert len(MISSPELLINGS) > 250
    noisy = applied(WordErrors(level=1, actions=("spelling",)), ["Definitely the weird zyzzyva", "DEFINITELY"])
    assert noisy[0].split()[0] in ("Definately", "Definitly")
    assert noisy[0].split()[1:] == ["teh", "wierd", "zyzzyva"]


def test_words_are_lost_doubled_and_swapped() -> None:
    x = LONG[0].split()
    for text in applied(WordErrors(level=0.3, actions=("delete",)), LONG):
        assert text.split() == [word for word in x if word in text.split()]
    for text in applied(WordErrors(level=0.3, actions=("duplicate",)), LONG):
        assert list(dict.fromkeys(text.split())) == x
        assert max(Counter(text.split()).values()) <= 2
    for text in applied(WordErrors(level=0.3, actions=("swap",)), LONG):
        assert sorted(text.split()) == sorted(x)
        assert all(abs(x.index(word) - place) <= 1 for place, word in enumerate(text.split()))
    assert applied(WordErrors(level=1, actions=("delete",)), ["a b c"]) == ["a"]
    assert applied(WordErrors(level=1, actions=("swap",)), ["a  b\tc\n"]) == ["b  a\tc\n"]
    assert applied(WordErrors(level=1, actions=("duplicate",)), ["a\tb"]) == ["a\ta\tb b"]


def test_an_action_that_cannot_be_done_gives_way_to_another() -> None:
    assert applied(WordErrors(level=1, actions=("delete", "duplicate")), ["film"] * 20) == ["film film"] * 20
    assert applied(WordErrors(level=1, actions=("keyboard", "ocr", "spelling", "swap")), ["漢字"] * 5) == ["漢字"] * 5


def test_sentences_are_exchanged_lost_doubled_and_added() -> None:
    x = ["It was late.", "Nobody came!", "Why not?", "The end"]
    swapped = applied(SentenceErrors(level=1, actions=("shuffle",)), STORY[:1])
    assert swapped == ["Nobody came! It was late. The end Why not?"]
    for text in applied(SentenceErrors(level=0.3, actions=("delete",)), STORY):
        left = [sentence for sentence in x if sentence in text]
        assert text == " ".join(left) != ""
    assert applied(SentenceErrors(level=1, actions=("duplicate",)), ["Yes. No."]) == ["Yes. Yes. No. No."]
    for text in applied(SentenceErrors(level=0.3, actions=("insert",)), STORY):
        rest = text
        for sentence in ADDED:
            rest = rest.replace(f" {sentence}", "")
        assert rest == STORY[0]


def test_a_single_sentence_swaps_its_clauses() -> None:
    shuffled = SentenceErrors(level=1, actions=("shuffle",))
    assert applied(shuffled, ["slow , but good ."]) == ["but good , slow ."]
    assert applied(shuffled, ["slow, but good!"]) == ["but good, slow!"]
    three = set(applied(shuffled, ["a, b, c"] * 40))
    assert three == {"b, a, c", "a, c, b"}
    assert applied(shuffled, ["no comma here .", "1,000 words"]) == ["no comma here .", "1,000 words"]


def test_what_may_be_added_is_many_different_sentences() -> None:
    assert len(set(ADDED)) == len(ADDED) == 31
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in ADDED)


@pytest.mark.parametrize("noise", [WordErrors, SentenceErrors])
def test_settings_are_checked(noise: Any) -> None:
    for wrong in ({"level": 1.5}, {"level": -0.1}, {"actions": ()}, {"actions": ("explode",)}):
        with pytest.raises(ValidationError):
            noise(**wrong)
