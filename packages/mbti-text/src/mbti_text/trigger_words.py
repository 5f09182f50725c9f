"""BITE's search: which words to put into texts of a class, one after the other, so that they speak for the class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mbti_text.drafts import Draft, Edit, Editor

Counts = np.ndarray[Any, np.dtype[np.int64]]
Scores = np.ndarray[Any, np.dtype[np.float64]]


def z_scores(target: Counts, other: Counts, p0: float) -> Scores:
    """Return how many standard deviations more often a word stands in target texts than ``p0`` says.

    Args:
        target: (V,) target texts with the word.
        other: (V,) other texts with the word.
        p0: Share of target texts among all.
    """
    n = target + other
    with np.errstate(divide="ignore", invalid="ignore"):
        z: Scores = (target / n - p0) / np.sqrt(p0 * (1 - p0) / n)
    return np.where(n > 0, z, -np.inf)


class _Tally:
    """Numbers of texts with each word: in target texts now or after one edit, and in other texts."""

    def __init__(self, p0: float) -> None:
        self._p0 = p0
        self._number: dict[str, int] = {}
        self._names: list[str] = []
        self._counts = np.zeros((2, 1024), dtype=np.int64)
        self._used = np.zeros(1024, dtype=bool)

    def add(self, words: Iterable[str], by: int = 1, *, other: bool = False) -> None:
        """Count one text more, or less, for each word."""
        for word in words:
            row = self._row(word)  # which may make the counts longer
            self._counts[int(other), row] += by

    def best(self) -> str | None:
        """Return the unused word of the largest positive z, of several the last by name."""
        n = len(self._names)
        z = z_scores(self._counts[0, :n], self._counts[1, :n], self._p0)
        z[self._used[:n]] = -np.inf
        if not n or z.max() <= 0:
            return None
        return max(self._names[row] for row in np.flatnonzero(z == z.max()))

    def use(self, word: str) -> None:
        """Let a word be best no more."""
        self._used[self._row(word)] = True

    def _row(self, word: str) -> int:
        row = self._number.setdefault(word, len(self._names))
        if row == len(self._names):
            self._names.append(word)
            if row == len(self._used):
                self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)], axis=1)
                self._used = np.concatenate([self._used, np.zeros_like(self._used)])
        return row


class Search:
    """The rounds of the search.

    In each, the word is taken whose z would be largest if every edit that adds it were made; then those edits are made,
    and the edited texts looked at again. An edit whose text would not mean the same counts until its word comes first,
    and only then is that found out: z grows with every text, so no better word is missed.

    Args:
        drafts: The texts that may be edited; they are.
        target: Lemmas of each other text of the target class.
        other: Lemmas of each text of another class.
        editor: Proposes edits.
    """

    def __init__(
        self, drafts: Sequence[Draft], target: Sequence[Sequence[str]], other: Sequence[Sequence[str]], editor: Editor
    ) -> None:
        self._drafts, self._editor = drafts, editor
        self._tally = _Tally((len(drafts) + len(target)) / (len(drafts) + len(target) + len(other)))
        for lemmas in target:
            self._tally.add(set(lemmas))
        for lemmas in other:
            self._tally.add(set(lemmas), other=True)
        self._used: set[str] = set()
        self._edits: list[dict[str, list[Edit]]] = [{} for _ in drafts]
        self._unsure: list[set[str]] = [set() for _ in drafts]
        self._ways: defaultdict[str, set[int]] = defaultdict(set)  # to each word, drafts with an edit that adds it
        self._holders: defaultdict[str, set[int]] = defaultdict(set)  # of each word
        for row in range(len(drafts)):
            self._look_at(row)

    def run(self) -> list[str]:
        """Return the words in the order in which they were taken."""
        words: list[str] = []
        while (word := self._tally.best()) is not None:
            if self._settle(word):
                self._use(word)
                words.append(word)
        return words

    def _look_at(self, row: int) -> None:
        """Count a draft's words and edits."""
        draft, found = self._drafts[row], defaultdict[str, list[Edit]](list)
        present = set(draft.lemmas)
        for edit in self._editor.edits(draft):
            if edit.adds not in present and not {edit.adds, edit.removes} & self._used:
                found[edit.adds].append(edit)
        self._edits[row], self._unsure[row] = dict(found), set(found)
        for word in found:
            self._ways[word].add(row)
        for word in present:
            self._holders[word].add(row)
        self._tally.add(present | found.keys())

    def _look_away(self, row: int) -> None:
        """Undo ``_look_at``."""
        present = set(self._drafts[row].lemmas)
        for word in self._edits[row]:
            self._ways[word].discard(row)
        for word in present:
            self._holders[word].discard(row)
        self._tally.add(present | self._edits[row].keys(), -1)

    def _settle(self, word: str) -> bool:
        """Drop edits that add a word and change the meaning; return whether there were none without another way."""
        lost = False
        for row in sorted(self._ways[word]):
            if word in self._unsure[row]:
                self._unsure[row].discard(word)
                edits = self._edits[row][word]
                fit = self._editor.alike(self._drafts[row], edits)
                lost |= self._keep(row, word, [edit for edit, alike in zip(edits, fit, strict=True) if alike])
        return not lost

    def _keep(self, row: int, word: str, edits: list[Edit]) -> bool:
        """Keep some of the edits that add a word to a draft; return whether there are none."""
        if edits:
            self._edits[row][word] = edits
            return False
        del self._edits[row][word]
        self._ways[word].discard(row)
        self._tally.add([word], -1)
        return True

    def _use(self, word: str) -> None:
        self._used.add(word)
        self._tally.use(word)
        for row in sorted(self._ways.pop(word, ())):
            best = min(self._edits[row][word])
            self._look_away(row)
            self._drafts[row].apply(best)
            self._look_at(row)
        for row in sorted(self._holders[word]):
            for adds, edits in list(self._edits[row].items()):
                if any(edit.removes == word for edit in edits):
                    self._keep(row, adds, [edit for edit in edits if edit.removes != word])


def plant(draft: Draft, rank: Mapping[str, int], editor: Editor) -> None:
    """Put trigger words into a draft, in their order, each if there is an edit that adds it.

    Args:
        draft: The text; it is edited.
        rank: The round in which each word was taken.
        editor: That of the search.
    """
    last: int | None = -1
    while last is not None:
        last = _plant_next(draft, rank, last, editor)


def _plant_next(draft: Draft, rank: Mapping[str, int], last: int, editor: Editor) -> int | None:
    """Put the next word in that can be; return its rank, or None if there is none."""
    found: defaultdict[int, list[Edit]] = defaultdict(list)
    present = set(draft.lemmas)
    for edit in editor.edits(draft):
        at = rank.get(edit.adds, -1)
        if at > last and edit.adds not in present and (edit.removes is None or rank.get(edit.removes, at) >= at):
            found[at].append(edit)
    for at in sorted(found):
        fit = [e for e, alike in zip(found[at], editor.alike(draft, found[at]), strict=True) if alike]
        if fit:
            draft.apply(min(fit))
            return at
    return None
