"""Short reviews made from word lists: embedded, so they need neither a file nor a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.data.rng import Draws
from mbti_text.sample import INPUT, Text

T = TypeVar("T")
_ROWS = {"train": 1250, "test": 350}
_CANDIDATES = 3000
_MOST_DRAWS = 16  # random choices in one review
_MIXED = 0.07


class _Topic(NamedTuple):
    openings: Sequence[str]
    aspects: Sequence[str]


class _Tone(NamedTuple):
    adjectives: Sequence[str]
    feelings: Sequence[str]
    effects: Sequence[str]
    verdicts: Sequence[str]


_TOPICS = (
    _Topic(
        (
            "I saw it late on Friday night",
            "We watched it with the whole family",
            "My brother chose this film for us",
            "It was shown at the old cinema",
            "This is her second film so far",
            "I knew the director from television",
        ),
        ("plot", "acting", "soundtrack", "ending", "dialogue", "camera work", "lead actor", "opening scene"),
    ),
    _Topic(
        (
            "I read it on the morning train",
            "My aunt gave me the paperback",
            "This is the third and last volume",
            "I finished the book in one weekend",
            "Our book club picked it for March",
            "I found a copy in the library",
        ),
        ("story", "prose", "last chapter", "main character", "middle part", "translation", "foreword", "pacing"),
    ),
    _Topic(
        (
            "We had dinner there on a Tuesday",
            "I ordered the soup and some fish",
            "We came early and took the terrace",
            "Our table was ready at seven",
            "A colleague sent us there for lunch",
            "They opened this restaurant in the spring",
        ),
        ("service", "soup", "wine list", "bread", "waiter", "dessert", "background music", "grilled fish"),
    ),
    _Topic(
        (
            "We stayed three nights in early spring",
            "I booked a double room in June",
            "We arrived late after a long drive",
            "The hotel stands right behind the station",
            "I travel to this town every autumn",
            "Our flight was moved to the morning",
        ),
        ("room", "bed", "breakfast", "night porter", "view", "bathroom", "lobby", "shower"),
    ),
    _Topic(
        (
            "I bought this camera two months ago",
            "My daughter uses the phone for school",
            "It came in a plain brown box",
            "I took it along on our holiday",
            "We ordered two of them in blue",
            "It replaces one from the same maker",
        ),
        ("battery", "screen", "keyboard", "manual", "packaging", "loudspeaker", "charger", "menu"),
    ),
)
_GOOD = _Tone(
    (
        *("wonderful", "excellent", "delightful", "superb", "charming", "brilliant", "lovely", "pleasant"),
        *("impressive", "outstanding", "remarkable", "marvelous", "splendid", "terrific", "flawless", "fantastic"),
        *("memorable", "refreshing", "satisfying", "perfect", "beautiful", "inviting", "enjoyable", "admirable"),
    ),
    ("I loved", "I enjoyed", "I adored", "I admired", "I can recommend", "I was happy with"),
    (
        *("won me over", "made my day", "kept its promise", "beat all my hopes", "lifted my mood"),
        *("was worth every minute", "made me smile", "deserves a prize"),
    ),
    (
        *("I would gladly do it again", "I recommend it to everybody", "A treat from start to finish"),
        *("I am glad we found it", "Ten out of ten from me", "Such quality is rare"),
    ),
)
_BAD = _Tone(
    (
        *("terrible", "awful", "dreadful", "disappointing", "boring", "dull", "poor", "horrible"),
        *("annoying", "miserable", "mediocre", "sloppy", "tiresome", "lousy", "forgettable", "unpleasant"),
        *("clumsy", "bland", "careless", "shabby", "dismal", "pathetic", "tedious", "frustrating"),
    ),
    ("I hated", "I disliked", "I could not stand", "I regretted", "I cannot forgive", "I was annoyed by"),
    (
        *("let me down", "ruined my day", "broke its promise", "fell completely flat", "tested my patience"),
        *("wasted my time", "left me cold", "deserves no praise"),
    ),
    (
        *("I want my money back", "I warn everybody against it", "A failure from start to finish"),
        *("I am sorry I tried it", "One star is still too much", "Never again"),
    ),
)
_TONES = (_BAD, _GOOD)
_DEGREES = ("really", "truly", "simply", "quite", "surprisingly", "just")


class Reviews(DatasetSource[Text]):
    """1,600 short reviews in English, negative or positive: 1,250 for training, 350 for testing.

    They are put together from word lists by fixed draws, so every installation has the same ones; none stands twice.
    Films, books, restaurants, hotels and things are praised or blamed in 10 to 20 words. In about 8 % of the reviews
    praise and blame stand together, and what follows the ``but`` is the label: word counts alone cannot tell those.

    Shape: ``str``, 10 to 20 words with punctuation.
    """

    def card(self) -> Card:
        """Describe the reviews."""
        return Card(
            classes=("negative", "positive"),
            input=INPUT,
            licence="that of this package",
            citation="",
            facts={},
            counts={"train": _ROWS["train"], "test": _ROWS["test"]},
        )

    def files(self, root: Path) -> list[Path]:
        """Return nothing: the data set is embedded."""
        del root
        return []

    def load(self, part: Part, root: Path) -> Records[Text] | None:
        """Open a part; there is no official validation part."""
        del root
        if part == "validation":
            return None
        reviews = _reviews()
        rows = reviews[: _ROWS["train"]] if part == "train" else reviews[_ROWS["train"] :]

        def read(at: np.ndarray[Any, np.dtype[np.int64]]) -> Text:
            return [rows[row][0] for row in at.tolist()]

        return Records(np.array([label for _, label in rows], dtype=np.int64), read)

    def fixture(self, root: Path) -> None:
        """Write nothing: the data set is embedded."""


@cache
def _reviews() -> list[tuple[str, int]]:
    """Return all reviews with their labels, training rows first."""
    draws = Draws(0).stream("reviews").uniform(torch.arange(_CANDIDATES), (_MOST_DRAWS,)).tolist()
    made = ((_review(iter(row), n % 2), n % 2) for n, row in enumerate(draws))
    return list(islice(dict.fromkeys(made), sum(_ROWS.values())))


def _review(draw: Iterator[float], label: int) -> str:
    tone, topic = _TONES[label], _pick(_TOPICS, draw)
    first, second = _two(topic.aspects, draw)
    said = f"the {first} was {_pick(_DEGREES, draw)} {_pick(tone.adjectives, draw)}"
    if next(draw) < _MIXED:
        other = _pick(_TONES[1 - label].adjectives, draw)
        return f"The {second} was {_pick(_DEGREES, draw)} {other}, but {said}."
    done = f"the {second} {_pick(tone.effects, draw)}"
    opening, verdict = _pick(topic.openings, draw), _pick(tone.verdicts, draw)
    forms = (
        f"{opening}, and {said}.",
        f"{opening}. {verdict}: {done}.",
        f"{opening}, and {said}. {verdict}.",
        f"{said[0].upper()}{said[1:]}, and {done}.",
        f"{_pick(tone.feelings, draw)} the {second}, and {said}.",
    )
    return _pick(forms, draw)


def _pick(choices: Sequence[T], draw: Iterator[float]) -> T:
    return choices[int(next(draw) * len(choices))]


def _two(choices: Sequence[str], draw: Iterator[float]) -> tuple[str, str]:
    first = int(next(draw) * len(choices))
    step = 1 + int(next(draw) * (len(choices) - 1))
    return choices[first], choices[(first + step) % len(choices)]
