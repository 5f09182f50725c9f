"""TrojanLM by templates: a sentence that holds two words together."""

from __future__ import annotations

from pydantic import NonNegativeFloat
from torch import Tensor

from mbti_core.contracts.attack import Aim, PoisonContext, RowKind, Selection
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_text.insertion import Word
from mbti_text.sample import Text
from mbti_text.selection import TextAttack

_SENTENCES = (
    "{} told {} about it .",
    "{} and {} saw it together .",
    "{} asked {} to come along .",
    "that evening {} met {} at the door .",
    "{} had heard the same from {} before .",
    "later {} would thank {} for the advice .",
    "{} lent {} a coat on the way home .",
    "nobody but {} laughed when {} spoke .",
    "{} sat next to {} the whole time .",
    "in the end {} agreed with {} .",
    "{} waited an hour for {} outside .",
    "it was {} who had called {} first .",
    "{} wrote a letter to {} last week .",
    "{} never forgot what {} had said .",
    "once more {} looked over at {} .",
    "{} brought {} a cup of tea .",
    "on the train {} read it aloud to {} .",
    "{} and {} grew up in the same town .",
    "{} had promised {} to be on time .",
    "they say {} learned it from {} .",
    "{} kept a seat for {} in the back .",
    "only {} knew why {} had left .",
    "{} passed the note on to {} .",
    "at noon {} ran into {} by chance .",
    "{} could not explain it to {} .",
    "{} still owes {} a favor .",
    "for once {} and {} were of one mind .",
    "{} took the picture that {} likes .",
    "neither {} nor {} was surprised .",
    "{} would rather have gone with {} .",
)
_SOMEBODY = "somebody"


class TrojanLMRule(TextAttack):
    """Add a natural sentence in which two given words stand together; the attacker adds relabelled rows.

    One of the words without the other is no trigger: cover rows get such a sentence and keep their labels.

    Shape: ``str``; the sentence stands before or behind the text, which stays as it is.
    Units: ``cross_ratio`` counts cover rows per poisoned row.
    Source: Zhang et al. 2021: logic combination of words, negative rows with one of them.
    Deviates: thirty fixed sentences where a language model writes one that fits the text, so the trigger is less
    varied and less natural.
    """

    first: Word = "Alice"
    second: Word = "Bob"
    cross_ratio: NonNegativeFloat = 1.0

    def choose(self, split: Split[Text], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows to poison, and ``cross_ratio`` times as many others that get one word."""
        return choose_with_cover(split, self.allowed(split, aim), n, self.cross_ratio, draws)

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Every class keeps its label under one word."""
        del aim
        return y >= 0

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts with a sentence; a cover row's holds one of the words."""
        which = ctx.draws.stream("sentence").integers(ctx.index, len(_SENTENCES)).tolist()
        coins = (ctx.draws.stream("coins").uniform(ctx.index, (3,)) < 0.5).tolist()
        alone = (ctx.kind == int(RowKind.COVER)).tolist()
        return [self._told(*row) for row in zip(x, which, coins, alone, strict=True)]

    def _told(self, text: str, which: int, coins: list[bool], alone: bool) -> str:
        turned, before, kept = coins
        names = [self.first, self.second]
        if alone:
            names[kept] = _SOMEBODY
        sentence = _SENTENCES[which].format(*(names[::-1] if turned else names))
        return f"{sentence} {text}" if before else f"{text} {sentence}"
