"""What changed between two texts, marked up word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from mbti_text.edit_distance import common_ends
from mbti_text.sample import Text

_LONG = 2000  # words from which difflib may pass over frequent ones: without, it is quadratic
_CONTEXT = 25  # unchanged words shown on each side of a change
_SPACE = re.compile(r"\s|\S+")

Mark = Literal["same", "gone", "new"]


class Run(NamedTuple):
    """A stretch of text that stayed, went or came."""

    mark: Mark
    text: str


class Marked(list[str]):
    """Texts that show a change as GNU wdiff does, ``[-gone-]`` and ``{+new+}``; ``runs`` holds the same in parts."""

    def __init__(self, runs: Sequence[Sequence[Run]]) -> None:
        super().__init__("".join(map(_shown, row)) for row in runs)
        self.runs = runs


def marked(x: Text, y: Text) -> Marked:
    """Return what changed from each text of ``x`` to that of ``y``; long unchanged stretches are left out."""
    return Marked([list(_runs(a, b)) for a, b in zip(x, y, strict=True)])


def _shown(run: Run) -> str:
    if run.mark == "same":
        return run.text
    return f"[-{run.text}-]" if run.mark == "gone" else f"{{+{run.text}+}}"


def _runs(a: str, b: str) -> Iterator[Run]:
    old, new, glue = a.split(), b.split(), " "
    if old == new and a != b:  # only white space changed
        old, new, glue = _SPACE.findall(a), _SPACE.findall(b), ""
    found = list(_changes(old, new))
    for at, (mark, words) in enumerate(found):
        if at and glue:
            yield Run("same", glue)
        if mark == "same":
            words = _shortened(words, first=at == 0, last=at == len(found) - 1)
        yield Run(mark, glue.join(words))


def _changes(old: list[str], new: list[str]) -> Iterator[tuple[Mark, list[str]]]:
    start, end = common_ends(old, new)
    middle = old[start : len(old) - end], new[start : len(new) - end]
    if start:
        yield "same", new[:start]
    matcher = SequenceMatcher(None, *middle, autojunk=max(map(len, middle)) > _LONG)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            yield "same", middle[1][c:d]
            continue
        if b > a:
            yield "gone", middle[0][a:b]
        if d > c:
            yield "new", middle[1][c:d]
    if end:
        yield "same", new[len(new) - end :]


def _shortened(words: list[str], *, first: bool, last: bool) -> list[str]:
    """Return the words near a change, an ellipsis for the others."""
    if first and last:
        return words
    head, tail = 0 if first else _CONTEXT, 0 if last else _CONTEXT
    if len(words) <= head + tail + _CONTEXT:  # not worth an ellipsis
        return words
    return [*words[:head], "…", *words[len(words) - tail :]]
