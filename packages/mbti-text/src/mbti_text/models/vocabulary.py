"""Models that learn their own tokenizer from the texts that they are trained on."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from mbti_text.sample import Text
from mbti_text.tokens import TextModel, TokenBatch

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VocabularySize = Annotated[int, Field(ge=100)]
Tokens = Annotated[int, Field(ge=1)]
_PAD, _UNKNOWN = "[PAD]", "[UNK]"
_LETTERS = 512  # letters that get a token of their own: all of a script, none of the thousands of signs of others


class OwnVocabulary(TextModel, ABC):
    """A text model that fits a tokenizer (byte-pair encoding) to its training rows and keeps it among its weights.

    Text is lower-cased and split at white space and punctuation; words that are rare or new are made of pieces, so a
    misspelled word, or a trigger that no training row has, is not lost in one token for all that is unknown.

    Args:
        size: Number of tokens, at most; the embedding has as many rows.
        max_tokens: What comes after is cut off.
    """

    def __init__(self, size: int, max_tokens: int) -> None:
        super().__init__(max_tokens)
        self._size = size
        self._tokenizer = _blank()

    def start_from_samples(self, samples: Iterable[Text]) -> None:
        """Fit the tokenizer."""
        from tokenizers.trainers import BpeTrainer  # noqa: PLC0415 - listings stay light

        # Not word pieces: that trainer numbers a word's inner letters in an order that differs from run to run.
        special = [_PAD, _UNKNOWN]
        trainer = BpeTrainer(
            vocab_size=self._size, special_tokens=special, limit_alphabet=_LETTERS, show_progress=False
        )
        self._tokenizer = _blank()
        self._tokenizer.train_from_iterator(chain.from_iterable(samples), trainer)

    def start_from_model(self, other: Any) -> None:
        """Take the tokenizer of another model."""
        self.set_extra_state(other.get_extra_state())

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return token ids, at least one per text; a text without any token is one unknown."""
        rows = [e.ids[: self.max_tokens] or [1] for e in self._tokenizer.encode_batch_fast(list(texts))]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        ids = torch.zeros(len(rows), int(lengths.max()) if rows else 0, dtype=torch.int64)
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        ids[mask] = torch.tensor([i for row in rows for i in row], dtype=torch.int64)
        return TokenBatch(ids, mask)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that tokens stand for."""
        return self._tokenizer.decode(list(ids))

    def knows(self, word: str) -> bool:
        """Whether no part of a word is the unknown token."""
        found = self._tokenizer.encode(word).ids
        return bool(found) and 1 not in found

    def get_extra_state(self) -> Tensor:
        """Return the tokenizer as the bytes of its JSON, uint8: weights are tensors."""
        return torch.frombuffer(bytearray(self._tokenizer.to_str().encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Take a tokenizer that ``get_extra_state`` gave."""
        from tokenizers import Tokenizer  # noqa: PLC0415 - as above

        self._tokenizer = Tokenizer.from_str(bytes(state.cpu().tolist()).decode())


def _blank() -> Tokenizer:
    """Return a tokenizer that knows no word yet."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers  # noqa: PLC0415 - as above
    from tokenizers.models import BPE  # noqa: PLC0415 - as above

    blank = Tokenizer(BPE({_PAD: 0, _UNKNOWN: 1}, [], unk_token=_UNKNOWN, fuse_unk=True))
    blank.normalizer = normalizers.BertNormalizer(lowercase=True)
    blank.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return blank
