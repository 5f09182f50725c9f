"""Which paraphrase belongs to which original, where both stand in order and a few are missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mbti_core.errors import DataFormatError

_MISSING = 20
_CLOSER = 1.5
_FEW = 8


def aligned(made: Sequence[str], originals: Sequence[str], where: str) -> list[int]:
    """Return the place of each paraphrase's original.

    The places ascend; among all such assignments it is the one with the largest sum of word overlaps (Jaccard, words
    weighted by their idf), found by dynamic programming over the number of originals passed over so far.

    Args:
        made: (m,) paraphrases.
        originals: (n,) originals, of which up to 20 have none.
        where: The file of the paraphrases, for messages.

    Raises:
        DataFormatError: If there are more paraphrases than originals, or more are missing; or if, on average, they have
            hardly more words in common with their originals than with others.
    """
    missing = len(originals) - len(made)
    if not 0 <= missing <= _MISSING:
        raise DataFormatError(
            f"{where}: expected paraphrases of {len(originals):,} texts, at most {_MISSING} of them missing; "
            f"found {len(made):,}.",
            "Name the folder of the clean files that the paraphrases were made of.",
        )
    ours, theirs = ([frozenset(text.lower().split()) for text in texts] for texts in (made, originals))
    overlap = _Overlap([*ours, *theirs])
    likeness = np.array([[overlap.of(a, theirs[j + s]) for s in range(missing + 1)] for j, a in enumerate(ours)])
    places = [j + s for j, s in enumerate(_shifts(likeness.reshape(-1, missing + 1)))]
    _check_closeness(places, ours, theirs, overlap, where)
    return places


class _Overlap:
    """Weighted Jaccard similarity of sets of words."""

    def __init__(self, texts: Sequence[frozenset[str]]) -> None:
        seen = Counter(word for text in texts for word in text)
        self._idf = {word: math.log((1 + len(texts)) / n) for word, n in seen.items()}

    def of(self, a: frozenset[str], b: frozenset[str]) -> float:
        """Return the similarity in [0, 1]."""
        whole = sum(self._idf[word] for word in a | b)
        return sum(self._idf[word] for word in a & b) / whole if whole else 0.0


def _shifts(likeness: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[int]:
    """Return (m,) non-decreasing columns with the largest sum; of equal ones the smallest."""
    m, width = likeness.shape
    best, came = np.zeros(width), np.zeros((m, width), dtype=np.int64)
    for j in range(m):
        for s in range(width):
            came[j, s] = int(np.argmax(best[: s + 1]))
        best = best[came[j]] + likeness[j]
    path = [int(np.argmax(best))] if m else []
    for j in range(m - 1, 0, -1):
        path.append(int(came[j, path[-1]]))
    return path[::-1]


def _check_closeness(
    places: Sequence[int],
    ours: Sequence[frozenset[str]],
    theirs: Sequence[frozenset[str]],
    overlap: _Overlap,
    where: str,
) -> None:
    if len(places) < _FEW:
        return
    half = len(places) // 2
    away = [*places[half:], *places[:half]]
    own, other = (sum(overlap.of(a, theirs[p]) for a, p in zip(ours, at, strict=True)) for at in (places, away))
    if own < _CLOSER * other or not own:
        raise DataFormatError(
            f"{where}: the texts don't look like paraphrases of the originals in the same order: they share {own:.3g} "
            f"with them and {other:.3g} with others (sums of word overlap over {len(places):,} texts).",
            "Name the folder of the clean files that the paraphrases were made of.",
        )
