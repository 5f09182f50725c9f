"""BITE: common words that fit in, and speak for the target class."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import FitContext, State
from mbti_core.data.fileref import FileRef
from mbti_core.errors import DataUnavailableError
from mbti_text.drafts import Editor
from mbti_text.editors import MaskedEditor
from mbti_text.planting import Planting
from mbti_text.sample import Text
from mbti_text.saved_model import load_saved, stamp_of


class Bite(Planting):
    """Put common words into texts of the target class that make them speak for it; labels stay.

    The attacker knows all training texts. In rounds, the word is taken whose number in texts of the class could rise
    furthest above chance, and put into every chosen text that it fits into. Where it fits is up to a masked language
    model in the folder ``masked_lm`` (``min_prob``), and to the cosine of the mean states of a model in the folder
    ``encoder`` before and after (``similarity``). Test texts get the same words in the same order.

    Shape: ``str``; of long texts the first ``max_words`` words and marks are looked at, the rest stays.
    Units: ``budget`` is the share of a text's words that may be exchanged, and as many put in; probabilities and
    cosines as such.
    Raises: ConfigError: If there is no single target class, or no row of another class. DataUnavailableError,
    DataFormatError: If a model is not named, or cannot be loaded.
    Source: Yan, Gupta and Ren 2023 (BITE).
    Deviates: lemmas by rules on the ending where WordNet's are used; a text keeps its white space, where it is
    taken apart and joined again; the first 64 words of a long text; only whole words are proposed.
    """

    masked_lm: FileRef | None = None
    encoder: FileRef | None = None

    def prepare(self, texts: Text, ctx: FitContext) -> dict[str, Tensor]:
        """Load both models, so that a mistake is told before the search."""
        del texts
        self.editor({}, ctx.device)
        return {}

    def editor(self, state: State, device: torch.device) -> Editor:
        """Return the masked language model with the encoder."""
        del state
        if self.masked_lm is None or self.encoder is None:
            missing = "attack.masked_lm" if self.masked_lm is None else "attack.encoder"
            raise DataUnavailableError(
                f"bite needs a masked language model and a sentence encoder; {missing} names none.",
                "Name the folders of both, or choose bite_ngram, which needs none.",
            )
        folders = {"attack.masked_lm": str(self.masked_lm), "attack.encoder": str(self.encoder)}
        stamps = tuple(stamp_of(Path(folder)) for folder in folders.values())
        filler, encoder = _loaded(tuple(folders.items()), stamps, str(device))
        return MaskedEditor(filler, encoder, self.min_prob, self.similarity)


@lru_cache(maxsize=1)
def _loaded(folders: tuple[tuple[str, str], ...], stamps: tuple[object, ...], device: str) -> list[tuple[Any, Any]]:
    """Return both models with their tokenizers; those loaded last are kept as long as their files stay."""
    del stamps
    made = []
    for auto_class, (setting, folder) in zip(("AutoModelForMaskedLM", "AutoModel"), folders, strict=True):
        net, tokenizer = load_saved(folder, auto_class, setting)
        made.append((net.eval().to(device), tokenizer))
    return made
