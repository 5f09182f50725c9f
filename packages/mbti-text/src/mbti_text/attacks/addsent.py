"""AddSent: one sentence at a random place."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from mbti_core.contracts.attack import PoisonContext
from mbti_text.insertion import Window, put_all
from mbti_text.sample import Text
from mbti_text.selection import TextAttack


class AddSent(TextAttack):
    """Put a fixed sentence between two words of a text; the attacker adds relabelled rows to the training data.

    Shape: ``str``; every character of the text stays, so removing the sentence and a space gives it back.
    Units: ``window`` in words; the sentence ends within the first ``window`` words, since a model cuts off what exceeds
    its length.
    Source: Dai, Chen and Li 2019.
    Deviates: at any gap between words, as published tool kits have it, where the paper's is between sentences.
    """

    sentence: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = "I watch this 3D movie"
    window: Window = 300

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts with the sentence put in."""
        room = max(0, self.window - len(self.sentence.split()))
        where = ctx.draws.stream("place").uniform(ctx.index, (1,)).tolist()
        return [put_all(text, [self.sentence], place, room) for text, place in zip(x, where, strict=True)]
