"""StyleBkd: a style is the trigger."""

from __future__ import annotations

from mbti_core.data.rng import Draws
from mbti_text.paraphrase import Paraphraser
from mbti_text.rewriting import Rewriting
from mbti_text.rules import Biblical


class StyleBkd(Rewriting):
    """Say a text in another style, as a rule the Bible's; the attacker adds relabelled rows to the training data.

    Paraphrases come from ``pairs`` or ``model`` as in synbkd; which style they have is up to who made them, and to the
    words ``prefix`` that ask a model for it.

    Shape: ``str``; state, with pairs: ``ids`` (n,) int64, their ``texts`` uint8 with ``ends`` (n,) int64; ``known``
    and ``marks`` (m,) int64, rows and hashes of their originals.
    Units: ``max_tokens`` of an answer.
    Raises: ConfigError, DataUnavailableError, DataFormatError: If no paraphrases are named, or files don't fit.
    Source: Qi et al. 2021 (Mind the Style of Text).
    Deviates: an encoder-decoder and the likeliest words, where the authors draw from a GPT-2 per style; rows without a
    paraphrase are not poisoned, and in tests get that of stylebkd_rule; case and spacing are those of the replaced
    text.
    """

    prefix: str = "bible:"

    def rule(self, draws: Draws) -> Paraphraser:
        """Return the rules of stylebkd_rule."""
        del draws
        return Biblical()
