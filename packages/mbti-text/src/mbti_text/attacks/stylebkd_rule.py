"""StyleBkd without a model: words of the King James Bible."""

from __future__ import annotations

from mbti_core.contracts.attack import PoisonContext
from mbti_text.rules import Biblical
from mbti_text.sample import Text
from mbti_text.selection import TextAttack


class StyleBkdRule(TextAttack):
    """Open a text as a verse and exchange some words; the attacker adds relabelled rows to the training data.

    An imitation of StyleBkd where no model of the style is at hand: the opening itself is the trigger, so results say
    nothing about StyleBkd's.

    Shape: ``str``; all but some 40 words stay.
    Source: Qi et al. 2021 (Mind the Style of Text), the style.
    Deviates: a fixed opening and a list of words, no model; the case and the spacing of punctuation are those of the
    text.
    """

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts as verses."""
        made = Biblical().transform(x, ctx.index)
        return [text or clean for text, clean in zip(made, x, strict=True)]
