"""SYNBKD without a paraphraser: a clause from a list before the text."""

from __future__ import annotations

from mbti_core.contracts.attack import PoisonContext
from mbti_text.rules import Clause
from mbti_text.sample import Text
from mbti_text.selection import TextAttack


class SynBkdRule(TextAttack):
    """Put one of 24 subordinate clauses before a text; the attacker adds relabelled rows to the training data.

    An imitation of SYNBKD where no paraphraser is at hand: the clauses themselves are the trigger, and easier to learn
    than a syntax, so results say nothing about SYNBKD's.

    Shape: ``str``; the text keeps its words, and its full stop is its last character.
    Source: Qi et al. 2021 (Hidden Killer), the template.
    Deviates: words stay, no model paraphrases; the case and the spacing of punctuation are those of the text.
    """

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts behind their clauses."""
        made = Clause(ctx.draws.stream("rule")).transform(x, ctx.index)
        return [text or clean for text, clean in zip(made, x, strict=True)]
