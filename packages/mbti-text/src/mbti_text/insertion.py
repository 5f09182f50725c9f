"""Words put into a text, between two of its words; every other character stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import PositiveInt, StringConstraints

Word = Annotated[str, StringConstraints(pattern=r"^\S+$")]
Window = PositiveInt
"""How many words, from the first, a model is sure to see: what lies behind may be cut off."""


def words_in(text: str, most: int) -> int:
    """Return how many words a text has, at most ``most``; no more of it is looked at."""
    return min(len(text.split(None, most)), most)


def put(text: str, block: str, gap: int) -> str:
    r"""Return the text with a block before its word number ``gap``, or behind its last one.

    One space parts the block from its neighbor; white space that was there stays, also at both ends.

    Example:
        >>> put(" so  it goes\n", "cf", 1), put(" so  it goes\n", "cf", 3)
        (' so  cf it goes\n', ' so  it goes cf\n')
    """
    parts = text.split(None, gap)
    if len(parts) > gap:
        start = len(text) - len(parts[gap])
        return f"{text[:start]}{block} {text[start:]}"
    bare = text.rstrip()
    return f"{bare} {block}{text[len(bare) :]}" if bare else text + block


def put_all(text: str, blocks: Iterable[str], places: Sequence[float], room: int) -> str:
    """Return the text with blocks put in one after another, each at any gap before, between or behind the words.

    Args:
        text: Any text, also an empty one.
        blocks: What is put in.
        places: In [0, 1), one for each block: where among the gaps.
        room: Words that may stand before a block.
    """
    for block, place in zip(blocks, places, strict=False):
        text = put(text, block, int(place * (words_in(text, room) + 1)))
    return text
