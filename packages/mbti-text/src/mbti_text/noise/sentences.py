"""Sentences exchanged, lost, doubled or added."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, Literal

from pydantic import Field

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_text.cut import Pair, sentences
from mbti_text.edits import Edit, deleted, doubled, edited, swapped
from mbti_text.sample import Share, Text

Action = Literal["shuffle", "delete", "duplicate", "insert"]
_COMMA = re.compile(r"(\s*,\s+)")
_END = re.compile(r"\s*[.!?]+[\"'\u201d\u2019)\]]*\Z")
ADDED = (
    *("It was a Tuesday.", "The meeting starts at nine.", "The train left on time.", "We took the second street."),
    *("The window faces the yard.", "The shop opens in the morning.", "There are two chairs in the room."),
    *("The letter came by mail.", "The river runs to the sea.", "He put the keys on the table."),
    *("The number is on the back.", "It rained in the afternoon.", "They moved here in the spring."),
    *("The bus stops near the bridge.", "The box was made of wood.", "She called before noon."),
    *("The map hangs on the wall.", "The road goes through the village.", "The lamp is next to the door."),
    *("We live on the third floor.", "The list has twelve names.", "The report is four pages long."),
    *("He wore a gray coat.", "The clock shows half past six.", "The garden lies behind the house."),
    *("The ship was built in the north.", "The office is closed on Sundays.", "They counted the tickets."),
    *("The key fits the other door.", "A dog was sitting in the hall.", "The page is numbered at the top."),
)
"""What may be added to any text without saying anything of it."""


class SentenceErrors(Noise[Text]):
    """Change the order and the number of sentences.

    Each sentence is hit with probability ``level``, by one of the actions that can be done to it. Where texts are
    single sentences, as in SST-2, that changes as many of them as ``level`` says.

    Attributes:
        level: Probability that a sentence is hit.
        actions: What may happen to a hit sentence. ``shuffle``: it changes places with the next one, or, in a text of
            one sentence, two of its clauses change places at a comma; ``delete``, unless it is the only one;
            ``duplicate``; ``insert``: a sentence on another matter follows it.

    Shape: (B,) texts.
    Source: Yu et al. 2025 (BackdoorMBTI), section 4.1: "re-ordering, random insertion/deletion" of sentences, which its
    code does not have.
    Deviates: duplication is added and paraphrasing left out, which takes a model; what is inserted is one of 31
    sentences that fit no text, as a noise does not see the other training texts.
    """

    level: Share = 0.3
    actions: Annotated[tuple[Action, ...], Field(min_length=1)] = ("shuffle", "delete", "duplicate", "insert")

    def apply(self, x: Text, ctx: NoiseContext) -> Text:
        """Return the texts with some sentences changed."""
        return edited(x, ctx, sentences, self.level, [_EDITS[action] for action in self.actions])


def _shuffled(pairs: Sequence[Pair], at: int, rng: Random) -> tuple[list[Pair], int] | None:
    if len(pairs) > 1:
        return swapped(pairs, at, rng)
    sentence, gap = pairs[at]
    end = _END.search(sentence)
    body = sentence if end is None else sentence[: end.start()]
    clauses = _COMMA.split(body)  # clause, comma, clause ...
    if len(clauses) == 1:
        return None
    first = 2 * rng.randrange(len(clauses) // 2)
    clauses[first], clauses[first + 2] = clauses[first + 2], clauses[first]
    return [("".join(clauses) + sentence[len(body) :], gap)], 1


def _followed(pairs: Sequence[Pair], at: int, rng: Random) -> tuple[list[Pair], int] | None:
    sentence, gap = pairs[at]
    return [(sentence, gap or " "), (rng.choice(ADDED), gap)], 1


_EDITS: Mapping[Action, Edit] = {
    "shuffle": _shuffled,
    "delete": deleted,
    "duplicate": doubled,
    "insert": _followed,
}
