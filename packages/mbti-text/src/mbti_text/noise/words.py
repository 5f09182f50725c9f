"""Typing, scanning and spelling errors, and words lost, doubled or exchanged."""

from __future__ import annotations

import string
from collections.abc import Mapping
from random import Random
from typing import Annotated, Literal

from pydantic import Field

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_text.cut import words
from mbti_text.edits import Edit, deleted, doubled, edited, in_place, swapped
from mbti_text.sample import Share, Text
from mbti_text.typos import KEYBOARD, MISSPELLINGS, OCR

Action = Literal["keyboard", "ocr", "random", "spelling", "delete", "swap", "duplicate"]
_SHARE = 0.3  # of the characters of a word, at least one; as nlpaug's aug_char_p
_LETTERS = dict.fromkeys(string.ascii_letters + string.digits, string.ascii_letters)


class WordErrors(Noise[Text]):
    """Change words as hasty typing, bad scans and weak spelling do, without any model or download.

    Each word is hit with probability ``level``, by one of the actions that can be done to it: a misspelling is known
    only of some 320 English words, a keyboard or a scanner confuses only ASCII letters and digits, and a text's only
    word is neither deleted nor swapped. White space stays. On the 872 sentences of SST-2's development set, 0.3 gives
    a word error rate of 0.31 and a character error rate of 0.18.

    Attributes:
        level: Probability that a word is hit.
        actions: What may happen to a hit word. ``keyboard``: up to 30 % of its characters, at least one, become
            neighbors on a QWERTY keyboard; ``ocr``: so many become characters of like shape; ``random``: so many
            become random ASCII letters; ``spelling``: a usual misspelling; ``delete``; ``swap`` with the next word;
            ``duplicate``.

    Shape: (B,) texts.
    Source: Yu et al. 2025 (BackdoorMBTI), code, noise of texts: nlpaug's augmenters at their defaults, by which 30 % of
    the words are hit and 30 % of the characters of each.
    Deviates: the number of hit words is binomial instead of fixed, so that also short texts are hit at the level; an
    action is drawn per word instead of per text; deleting, swapping and duplicating words (Wei and Zou 2019) are added.
    """

    level: Share = 0.3
    actions: Annotated[tuple[Action, ...], Field(min_length=1)] = (
        *("keyboard", "ocr", "random", "spelling"),
        *("delete", "swap", "duplicate"),
    )

    def apply(self, x: Text, ctx: NoiseContext) -> Text:
        """Return the texts with some words changed."""
        return edited(x, ctx, words, self.level, [_EDITS[action] for action in self.actions])


def _replaced(word: str, table: Mapping[str, str], rng: Random) -> str | None:
    places = [i for i, c in enumerate(word) if c in table]
    if not places:
        return None
    letters = list(word)
    for i in rng.sample(places, min(len(places), max(1, round(_SHARE * len(word))))):
        letters[i] = rng.choice(table[letters[i]].replace(letters[i], ""))
    return "".join(letters)


def _misspelled(word: str, rng: Random) -> str | None:
    wrong = MISSPELLINGS.get(word.lower())
    if wrong is None:
        return None
    chosen = rng.choice(wrong)
    return chosen.capitalize() if word[0].isupper() else chosen


_EDITS: Mapping[Action, Edit] = {
    "keyboard": in_place(lambda word, rng: _replaced(word, KEYBOARD, rng)),
    "ocr": in_place(lambda word, rng: _replaced(word, OCR, rng)),
    "random": in_place(lambda word, rng: _replaced(word, _LETTERS, rng)),
    "spelling": in_place(_misspelled),
    "delete": deleted,
    "swap": swapped,
    "duplicate": doubled,
}
