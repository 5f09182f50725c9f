"""Changing some pieces of a text, each by an edit drawn for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from mbti_core.contracts.noise import NoiseContext
from mbti_text.cut import Cut, Pair, Row, for_each
from mbti_text.sample import Text

Edit = Callable[[Sequence[Pair], int, Random], tuple[list[Pair], int] | None]
"""Takes all pieces and the place of one; returns what stands there afterwards and how many pieces that replaces, or
None where it cannot be done."""


def edited(x: Text, ctx: NoiseContext, cut: Callable[[str], Cut], level: float, edits: Sequence[Edit]) -> Text:
    """Change each piece with probability ``level`` by one of the edits that can be done to it, uniformly drawn.

    Args:
        x: (B,) texts.
        ctx: Row ids and keyed randomness: what happens to a piece depends on its row's id and its place.
        cut: Makes pieces of a text.
        level: Expected share of the pieces changed, in [0, 1]; what is changed at a level is changed at a higher one.
        edits: What may happen; a text never loses its last piece.
    """
    cuts = [cut(text) for text in x]
    hits = for_each(ctx.draws.stream("hit").uniform, ctx.index, cuts)
    seeds = for_each(ctx.draws.stream("edit").bits, ctx.index, cuts)
    return [_edited(*row, edits) for row in zip(cuts, (u < level for u in hits), seeds, strict=True)]


def _edited(cut: Cut, hit: Row, seeds: Row, edits: Sequence[Edit]) -> str:
    pairs, made, at = list(cut.pairs()), list[Pair](), 0
    while at < len(pairs):
        new, used = _tried(pairs, at, Random(int(seeds[at])), edits) if hit[at] else ([pairs[at]], 1)
        made += new
        at += used
    return cut.of_pairs(made or pairs[:1])


def _tried(pairs: Sequence[Pair], at: int, rng: Random, edits: Sequence[Edit]) -> tuple[list[Pair], int]:
    for edit in rng.sample(edits, len(edits)):
        done = edit(pairs, at, rng)
        if done is not None:
            return done
    return [pairs[at]], 1


def deleted(pairs: Sequence[Pair], at: int, rng: Random) -> tuple[list[Pair], int] | None:
    """Leave a piece out, unless it is the only one."""
    del at, rng
    return ([], 1) if len(pairs) > 1 else None


def doubled(pairs: Sequence[Pair], at: int, rng: Random) -> tuple[list[Pair], int] | None:
    """Say a piece twice."""
    del rng
    piece, gap = pairs[at]
    return [(piece, gap or " "), (piece, gap)], 1


def swapped(pairs: Sequence[Pair], at: int, rng: Random) -> tuple[list[Pair], int] | None:
    """Exchange a piece with the next one, if that is another."""
    del rng
    if at + 1 == len(pairs) or pairs[at][0] == pairs[at + 1][0]:
        return None
    (piece, gap), (following, end) = pairs[at : at + 2]
    return [(following, gap), (piece, end)], 2


def in_place(change: Callable[[str, Random], str | None]) -> Edit:
    """Return the edit that changes a piece by itself, where ``change`` knows how."""

    def edit(pairs: Sequence[Pair], at: int, rng: Random) -> tuple[list[Pair], int] | None:
        piece, gap = pairs[at]
        changed = change(piece, rng)
        return None if changed is None else ([(changed, gap)], 1)

    return edit
