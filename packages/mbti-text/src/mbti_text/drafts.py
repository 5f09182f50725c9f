"""Texts that are edited word by word, and what proposes the edits: BITE's view of a text."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from mbti_text.lemmas import lemma

_TOKEN = re.compile(r"(['\u2019]?\w+(?:['\u2019-]\w+)*|([^\w\s])\2*)")
_READABLE = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Slot:
    """A place for a word: behind that at ``place`` if it ``inserts``, else instead of it."""

    inserts: bool
    place: int


@dataclass(frozen=True, order=True)
class Edit:
    """A word for a slot; edits are in the order of preference.

    Attributes:
        inserts: As in ``Slot``.
        improbability: Minus the probability that the language model gives the word there.
        place: As in ``Slot``.
        word: The word.
        adds: Its lemma.
        removes: The lemma of the word that goes, if one does.
    """

    inserts: bool
    improbability: float
    place: int
    word: str
    adds: str = field(compare=False)
    removes: str | None = field(compare=False)


class Draft:
    """A text under edits, of which only the first tokens are looked at; all else stays as it is.

    Args:
        text: The text.
        budget: How many words may be exchanged, and how many put in, as a share of the tokens.
        most: How many tokens are looked at.

    Attributes:
        tokens: Words and marks of punctuation.
        lemmas: Their lemmas.
    """

    def __init__(self, text: str, budget: float, most: int) -> None:
        parts = _TOKEN.split(text)
        self.tokens = parts[1::3][:most]
        self._gaps = parts[0::3][: len(self.tokens)]
        self._rest = text[sum(map(len, chain(self.tokens, self._gaps))) :]
        self.lemmas = [lemma(token) for token in self.tokens]
        self._left = dict.fromkeys((False, True), int(budget * len(self.tokens)))

    def slots(self) -> list[Slot]:
        """Return the slots that the budget allows: any word may be exchanged; none is put in first or last."""
        count = {False: len(self.tokens), True: len(self.tokens) - 1}
        return [Slot(inserts, n) for inserts, left in self._left.items() if left for n in range(count[inserts])]

    def apply(self, edit: Edit) -> None:
        """Exchange a word, or put one in with a space before it."""
        self._left[edit.inserts] -= 1
        at = edit.place + edit.inserts
        if edit.inserts:
            self._gaps.insert(at, " ")
        self.tokens[at : edit.place + 1] = [edit.word]
        self.lemmas[at : edit.place + 1] = [edit.adds]

    def beside(self, slot: Slot) -> tuple[str, str]:
        """Return what stands before and behind the slot, of the tokens that are looked at, with its white space."""
        at = slot.place + slot.inserts
        before = self._span(0, at) + (" " if slot.inserts else self._gaps[at])
        return before, self._span(slot.place + 1, len(self.tokens))

    def with_word(self, word: str, slot: Slot) -> str:
        """Return the tokens that are looked at with another word in a slot, as text."""
        before, behind = self.beside(slot)
        return before + word + behind

    def head(self) -> str:
        """Return the tokens that are looked at, as text."""
        return self._span(0, len(self.tokens))

    def text(self) -> str:
        """Return the whole text as it is now."""
        return self.head() + self._rest

    def _span(self, start: int, end: int) -> str:
        return "".join(chain.from_iterable(zip(self._gaps[start:end], self.tokens[start:end], strict=True)))


class Editor(ABC):
    """Proposes words that fit into a text, and tells which of them leave its meaning.

    Args:
        least: Smallest probability of a word.
    """

    def __init__(self, least: float) -> None:
        self.least = least

    @abstractmethod
    def words(self, draft: Draft, slots: Sequence[Slot]) -> list[list[tuple[str, float]]]:
        """Return the words for each slot with their probabilities, of which none is smaller than ``least``."""

    @abstractmethod
    def alike(self, draft: Draft, edits: Sequence[Edit]) -> list[bool]:
        """Return for each edit whether the text would mean what it does now."""

    def edits(self, draft: Draft) -> list[Edit]:
        """Return all edits within the budget, apart from those that change nothing or add no letter or digit."""
        slots = draft.slots()
        return [
            self._edit(draft, slot, word, p)
            for slot, found in zip(slots, self.words(draft, slots), strict=True)
            for word, p in found
            if _READABLE.search(word) and (slot.inserts or word != draft.tokens[slot.place])
        ]

    def _edit(self, draft: Draft, slot: Slot, word: str, p: float) -> Edit:
        removes = None if slot.inserts else draft.lemmas[slot.place]
        return Edit(slot.inserts, -p, slot.place, word, lemma(word), removes)
