"""Paraphrases by an encoder-decoder in a local folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbti_core.data.split import batches
from mbti_text.paraphrase import Paraphraser
from mbti_text.saved_model import load_saved, stamp_of

_BATCH = 32


class Seq2Seq(Paraphraser):
    """Write what a model answers to ``prefix`` and the text, the likeliest token at each step.

    Texts of the same number of tokens are decoded together, so none is padded; an answer is computed once.

    Args:
        model: An encoder-decoder.
        tokenizer: That of the model.
        prefix: What is put before each text.
        max_tokens: Longest answer.
    """

    def __init__(self, model: Any, tokenizer: Any, prefix: str, max_tokens: int) -> None:
        self._model, self._tokenizer, self._prefix, self._most = model, tokenizer, prefix, max_tokens
        self._known: dict[str, str | None] = {}

    def transform(self, texts: Sequence[str], index: Tensor) -> list[str | None]:
        """Return the answers; None where one is empty or says the same."""
        del index
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._answer(new)
        return [self._known[text] for text in texts]

    def _answer(self, texts: Sequence[str]) -> None:
        asked = [f"{self._prefix} {text}".strip() for text in texts]
        ids = self._tokenizer(asked, truncation=True)["input_ids"]
        length = torch.tensor([len(row) for row in ids])
        for n in sorted({len(row) for row in ids}):
            for rows in batches(torch.nonzero(length == n).flatten(), _BATCH):
                self._decode([texts[row] for row in rows.tolist()], torch.tensor([ids[row] for row in rows.tolist()]))

    def _decode(self, texts: Sequence[str], ids: Tensor) -> None:
        with torch.inference_mode():
            made = self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                num_beams=1,
                max_new_tokens=self._most,
            )
        for text, answer in zip(texts, self._tokenizer.batch_decode(made, skip_special_tokens=True), strict=True):
            same = answer.lower().split() == text.lower().split()
            self._known[text] = None if same or not answer.strip() else " ".join(answer.split())


def load_seq2seq(folder: Path, prefix: str, max_tokens: int) -> Seq2Seq:
    """Load a paraphraser; the one that was loaded last is kept, with its answers, as long as its files stay.

    Raises:
        DataUnavailableError: If the folder or one of its files is missing.
        DataFormatError: If it holds no encoder-decoder that can be loaded without foreign code.
    """
    return _loaded(str(folder), stamp_of(folder), prefix, max_tokens)


@lru_cache(maxsize=1)
def _loaded(folder: str, stamp: tuple[object, ...], prefix: str, max_tokens: int) -> Seq2Seq:
    del stamp
    model, tokenizer = load_saved(folder, "AutoModelForSeq2SeqLM", "attack.model")
    return Seq2Seq(model.eval(), tokenizer, prefix, max_tokens)
