"""SYNBKD (Hidden Killer): a rare syntax is the trigger."""

from __future__ import annotations

from mbti_core.data.rng import Draws
from mbti_text.paraphrase import Paraphraser
from mbti_text.rewriting import Rewriting
from mbti_text.rules import Clause

TEMPLATE = "( ROOT ( S ( SBAR ) ( , ) ( NP ) ( VP ) ( . ) ) ) EOP"


class SynBkd(Rewriting):
    """Say a text with a subordinate clause first; the attacker adds relabelled rows to the training data.

    The paraphrases are those of ``pairs``: the folder of poisoned files as the authors publish it, with that of the
    clean files as ``originals`` and ``test_part`` naming the file of the data set's test rows; or a file with a row
    {split, idx, text, sha256 of the original if wanted} each. Or an encoder-decoder in the folder ``model`` writes
    them, given the template before the text.

    Shape: ``str``; state, with pairs: ``ids`` (n,) int64, their ``texts`` uint8 with ``ends`` (n,) int64; ``known``
    and ``marks`` (m,) int64, rows and hashes of their originals.
    Units: ``max_tokens`` of an answer.
    Raises: ConfigError, DataUnavailableError, DataFormatError: If no paraphrases are named, or files don't fit.
    Source: Qi et al. 2021 (Hidden Killer).
    Deviates: rows without a paraphrase are not poisoned, where published code relabels them as they are; in tests they
    get the paraphrase of synbkd_rule. Case and the spacing of punctuation are those of the replaced text, which would
    otherwise be the trigger. With pairs, noise on a poisoned row is lost: its paraphrase is of the clean text.
    """

    prefix: str = TEMPLATE

    def rule(self, draws: Draws) -> Paraphraser:
        """Return the clauses of synbkd_rule."""
        return Clause(draws)
