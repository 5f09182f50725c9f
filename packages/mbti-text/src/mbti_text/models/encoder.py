"""Transformers of the public library, wrapped so that a batch of texts or tokens gives logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import ModelInfo
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.tokens import TextModel, TokenBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def answers(net: PreTrainedModel, batch: TokenBatch, *, layers: bool) -> tuple[Tensor, Sequence[Tensor]]:
    """Return (B, C) logits, and (B, D) what the head reads of each layer if ``layers`` asks for it.

    A net whose head is called ``score`` reads the last token, all others the first.
    """
    given: dict[str, Any] = {"input_ids": batch.ids} if batch.vectors is None else {"inputs_embeds": batch.vectors}
    given |= {"attention_mask": batch.mask.long(), "output_hidden_states": layers, "return_dict": True}
    score = getattr(net, "score", None)
    if score is None:
        found = net(**given)
        logits: Tensor = found.logits
        return logits, [state[:, 0] for state in found.hidden_states[1:]] if layers else ()
    found = net.base_model(**given, use_cache=False)
    last = (batch.mask.sum(1) - 1).clamp(min=0)
    rows = torch.arange(len(last), device=last.device)
    logits = score(found.last_hidden_state[rows, last])
    return logits, [state[rows, last] for state in found.hidden_states[1:]] if layers else ()


def layered(net: PreTrainedModel, batch: TokenBatch, head: nn.Linear) -> Tensor:
    """Return (L + 1, B, C): ``head`` on what it reads of each layer, then the logits."""
    logits, states = answers(net, batch, layers=True)
    return torch.cat([head(torch.stack(list(states))), logits[None]])


def last_linear(net: nn.Module, classes: int) -> nn.Linear:
    """Return the layer that makes the logits."""
    return [m for m in net.modules() if isinstance(m, nn.Linear) and m.out_features == classes][-1]


class Encoder(TextModel):
    """A sequence classifier of the library with the tokenizer that belongs to it."""

    def __init__(self, net: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> None:
        super().__init__(max_tokens)
        self.net, self._tokenizer = net, tokenizer
        self._classes = int(net.config.num_labels or 0)

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return token ids with the special tokens that the model was trained with."""
        rows = self._tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]
        filler = self._tokenizer.unk_token_id or 0
        rows = [row or [filler] for row in rows]  # without special tokens an empty text would have none
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        mask = torch.arange(int(lengths.max()) if rows else 0) < lengths[:, None]
        ids = torch.zeros(mask.shape, dtype=torch.int64)
        ids[mask] = torch.tensor([i for row in rows for i in row], dtype=torch.int64)
        return TokenBatch(ids, mask)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that tokens stand for, without special ones."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def logits(self, batch: TokenBatch) -> Tensor:
        """Return (B, C) logits."""
        return answers(self.net, batch, layers=False)[0]

    def layer_logits(self, batch: TokenBatch) -> Tensor:
        """Return (L + 1, B, C): the last linear layer on what the head reads of each layer, then the logits."""
        return layered(self.net, batch, last_linear(self.net, self._classes))

    def knows(self, word: str) -> bool:
        """Whether no part of a word is the unknown token."""
        found = self._tokenizer(word, add_special_tokens=False)["input_ids"]
        return bool(found) and self._tokenizer.unk_token_id not in found


class SmallTransformer(OwnVocabulary):
    """A transformer of the same make, without pretraining, that fits its own tokenizer."""

    def __init__(self, net: PreTrainedModel, size: int, max_tokens: int) -> None:
        super().__init__(size, max_tokens)
        self.net = net
        self._classes = int(net.config.num_labels or 0)

    def logits(self, batch: TokenBatch) -> Tensor:
        """Return (B, C) logits."""
        return answers(self.net, batch, layers=False)[0]

    def layer_logits(self, batch: TokenBatch) -> Tensor:
        """Return (L + 1, B, C): the last linear layer on the first token's state in each layer, then the logits."""
        return layered(self.net, batch, last_linear(self.net, self._classes))


def small_transformer(
    info: ModelInfo, *, vocabulary: int, max_tokens: int, width: int, heads: int, layers: int
) -> nn.Module:
    """Build a transformer encoder from scratch; its settings are those of ``transformer``."""
    from transformers import BertConfig, BertForSequenceClassification  # noqa: PLC0415 - seconds

    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=max_tokens,
        pad_token_id=0,
    )
    config.num_labels = info.num_classes
    return SmallTransformer(BertForSequenceClassification(config), vocabulary, max_tokens)
