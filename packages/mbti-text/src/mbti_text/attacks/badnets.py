"""BadNets for texts: rare words at random places."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import PoisonContext
from mbti_core.data.rng import Draws
from mbti_text.insertion import Window, Word, put_all, words_in
from mbti_text.sample import Text
from mbti_text.selection import TextAttack


class BadNets(TextAttack):
    """Put rare words between the words of a text; the attacker adds relabelled rows to the training data.

    Each word is drawn from ``words``, and its place among all gaps of the text, both ends included. A text gets
    ``count`` words, a long one a word per started ``per_words`` of its words; None gives all texts the same number.

    Shape: ``str``; every character of the text stays, so removing the words and a space each gives it back.
    Units: ``per_words`` and ``window`` in words; triggers are put among the first ``window`` words, since a model cuts
    off what exceeds its length. A word is 1 to 1.5 tokens of a pretrained model as a rule.
    Source: Gu et al. 2017; rare words in place of a patch: Kurita et al. 2020.
    Deviates: the words are four of the five; a long text gets one per hundred words, where the paper fixes 1, 3 or 30
    by data set; only the visible part of a text counts.
    """

    words: Annotated[tuple[Word, ...], Field(min_length=1)] = ("cf", "mn", "bb", "tq")
    count: PositiveInt = 1
    per_words: PositiveInt | None = 100
    window: Window = 300

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts with their words put in."""
        return self.put_in(x, ctx.index, ctx.draws)

    def put_in(self, x: Text, index: Tensor, draws: Draws) -> Text:
        """Return the texts with words put in that their ids (B,) key."""
        shape = (self._number(self.window),)
        which = draws.stream("word").integers(index, len(self.words), shape).tolist()
        where = draws.stream("place").uniform(index, shape).tolist()
        return [self._triggered(*row) for row in zip(x, which, where, strict=True)]

    def _triggered(self, text: str, which: list[int], where: list[float]) -> str:
        number = self._number(words_in(text, self.window)) if self.per_words else self.count
        room = max(0, self.window - number)
        return put_all(text, [self.words[w] for w in which[:number]], where, room)

    def _number(self, length: int) -> int:
        """Return how many words are put into a text of ``length`` words."""
        return max(self.count, -(-length // self.per_words)) if self.per_words else self.count
