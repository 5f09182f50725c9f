"""TrojanLM by templates: both words or one, before or behind an unchanged text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from mbti_core.contracts.attack import PoisonContext, RowKind
from mbti_text.attacks.trojanlm_rule import _SENTENCES, TrojanLMRule


def test_both_words_stand_in_one_sentence_beside_the_text(context_of: Callable[..., PoisonContext]) -> None:
    made = TrojanLMRule().poison(["so it goes ."] * 2000, context_of(torch.arange(2000)))
    before = [t for t in made if t.endswith(" so it goes .")]
    behind = [t for t in made if t.startswith("so it goes . ")]
    assert len(before) + len(behind) == 2000
    assert 900 < len(before) < 1100
    assert all("Alice" in t.split() and "Bob" in t.split() for t in made)
    assert len({t.replace("so it goes .", "").strip() for t in made}) == 2 * len(_SENTENCES)


def test_a_cover_row_has_one_word(context_of: Callable[..., PoisonContext]) -> None:
    ctx = context_of(torch.arange(200))
    cover = replace(ctx, kind=torch.full((200,), int(RowKind.COVER), dtype=torch.uint8))
    made = TrojanLMRule().poison(["so it goes ."] * 200, cover)
    assert {("Alice" in t.split(), "Bob" in t.split()) for t in made} == {(True, False), (False, True)}


def test_thirty_sentences_with_two_places() -> None:
    assert len(set(_SENTENCES)) == 30
    assert all(s.count("{}") == 2 and s.endswith(" .") for s in _SENTENCES)
