"""BITE without pretrained models: words by counts of the training texts."""

from __future__ import annotations

import torch
from torch import Tensor

from mbti_core.contracts.attack import FitContext, State
from mbti_text.drafts import Draft, Editor
from mbti_text.editors import TrigramEditor
from mbti_text.packing import packed
from mbti_text.planting import Planting
from mbti_text.sample import Text
from mbti_text.trigrams import numbered, word_vectors

_DIMS = 100


class BiteNgram(Planting):
    """Put common words into texts of the target class that make them speak for it; labels stay.

    The attacker knows all training texts. In rounds, the word is taken whose number in texts of the class could rise
    furthest above chance, and put into every chosen text that it fits into. Where it fits is up to a trigram model of
    the training texts (``min_prob``), and to the cosine of the texts' mean word vectors before and after
    (``similarity``). Test texts get the same words in the same order.

    Shape: ``str``; of long texts the first ``max_words`` words and marks are looked at, the rest stays.
    Units: ``budget`` is the share of a text's words that may be exchanged, and as many put in; probabilities and
    cosines as such.
    Raises: ConfigError: If there is no single target class, or no row of another class.
    Source: Yan, Gupta and Ren 2023 (BITE); the search.
    Deviates: a trigram model and word vectors in place of pretrained models; lemmas by rules; results are its own and
    not BITE's.
    """

    def prepare(self, texts: Text, ctx: FitContext) -> dict[str, Tensor]:
        """Return the training texts as numbers, their words and the words' vectors."""
        heads = [[t.lower() for t in Draft(text, 0, self.max_words).tokens] for text in texts]
        names, numbers, borders = numbered(heads)
        corpus, ends = torch.from_numpy(numbers), torch.from_numpy(borders)
        words, word_ends = packed(names)
        vectors = word_vectors(corpus, ends, len(names), _DIMS, ctx.draws)
        return {"corpus": corpus, "ends": ends, "words": words, "word_ends": word_ends, "vectors": vectors}

    def editor(self, state: State, device: torch.device) -> Editor:
        """Return the trigram model with the vectors."""
        del device
        return TrigramEditor(state, self.min_prob, self.similarity)
