"""Texts cut into words or sentences, and draws for each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

_WORD = re.compile(r"(\S+)")
_SENTENCE = re.compile(r"(\S.*?(?:[.!?]+[\"'\u201d\u2019)\]]*(?=\s|\Z)|(?=\s*\Z)))", re.DOTALL)
_CELLS = 1 << 20  # drawn at once, so that one endless text does not ask for an endless row of each other text

Row = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[str, str]
"""A piece of text, and the white space behind it."""


class Cut(NamedTuple):
    """A text in pieces; nothing is lost.

    Attributes:
        lead: The white space before the first piece.
        pieces: The pieces, punctuation included.
        gaps: (as many) The white space behind each.
    """

    lead: str
    pieces: list[str]
    gaps: list[str]

    def pairs(self) -> Iterator[Pair]:
        """Yield each piece with the white space behind it."""
        return zip(self.pieces, self.gaps, strict=True)

    def of_pieces(self, pieces: Sequence[str]) -> str:
        """Return the text of as many other pieces in the same white space."""
        return self.of_pairs(list(zip(pieces, self.gaps, strict=True)))

    def of_pairs(self, pairs: Sequence[Pair]) -> str:
        """Return the text of other pieces, each with the white space behind it; the text's own end stays its end."""
        if not pairs:
            return self.lead
        (last, _), tail = pairs[-1], self.gaps[-1] if self.gaps else ""
        return "".join([self.lead, *(piece + gap for piece, gap in pairs[:-1]), last, tail])


def words(text: str) -> Cut:
    """Cut a text at white space."""
    return _cut(_WORD, text)


def sentences(text: str) -> Cut:
    """Cut a text behind each full stop, exclamation or question mark that white space follows, or a quote and that.

    An abbreviation ends a sentence too; what has no end is one sentence.
    """
    return _cut(_SENTENCE, text)


def _cut(pattern: re.Pattern[str], text: str) -> Cut:
    parts = pattern.split(text)
    return Cut(parts[0], parts[1::2], parts[2::2])


def for_each(draw: Callable[[Tensor, Sequence[int]], Tensor], index: Tensor, cuts: Sequence[Cut]) -> list[Row]:
    """Return one draw for each piece of each row; a row's draws depend on its id alone, not on the other rows.

    Args:
        draw: ``uniform`` or ``bits`` of a stream: its first numbers are the same however many are asked for.
        index: (B,) int64 row ids.
        cuts: (B,) The rows' texts.

    Returns:
        (B,) arrays, each as long as its row has pieces.
    """
    counts = [len(cut.pieces) for cut in cuts]
    step = max(1, _CELLS // max([1, *counts]))
    rows: list[Row] = []
    for at in range(0, len(counts), step):
        wanted = counts[at : at + step]
        drawn = draw(index[at : at + step].cpu(), (max(wanted),)).numpy()  # (step, longest)
        rows += [row[:count] for row, count in zip(drawn, wanted, strict=True)]
    return rows
