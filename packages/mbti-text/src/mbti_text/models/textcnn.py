"""Convolutions over words."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from mbti_core.contracts.model import ModelInfo
from mbti_text.models.bilstm import Share, Width
from mbti_text.models.vocabulary import OwnVocabulary, Tokens, VocabularySize
from mbti_text.tokens import TokenBatch


class TextCNN(OwnVocabulary):
    """Embedding, filters of several lengths, each one's largest answer in the text, a linear layer."""

    def __init__(
        self,
        classes: int,
        size: int,
        max_tokens: int,
        embedding: int,
        filters: int,
        lengths: tuple[int, ...],
        dropout: float,
    ) -> None:
        super().__init__(size, max_tokens)
        self.embedding = nn.Embedding(size, embedding, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(embedding, filters, length) for length in lengths)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(lengths), classes)

    def logits(self, batch: TokenBatch) -> Tensor:
        """Return (B, C) logits; one window starts at each token, so padding changes nothing."""
        vectors = self.embedding(batch.ids) if batch.vectors is None else batch.vectors
        x = (vectors * batch.mask[..., None]).transpose(1, 2)  # (B, D, T)
        found = []
        for conv in self.convs:
            assert isinstance(conv, nn.Conv1d)
            y = torch.relu(conv(nn.functional.pad(x, (0, conv.kernel_size[0] - 1))))  # (B, filters, T)
            found.append((y * batch.mask[:, None]).amax(2))
        logits: Tensor = self.head(self.drop(torch.cat(found, 1)))
        return logits


def cnn(
    info: ModelInfo,
    *,
    vocabulary: VocabularySize = 10_000,
    max_tokens: Tokens = 256,
    embedding: Width = 300,
    filters: Width = 100,
    lengths: Annotated[tuple[Width, ...], Field(min_length=1)] = (3, 4, 5),
    dropout: Share = 0.5,
) -> nn.Module:
    """Convolutions over an embedding that is learned with them.

    Source: Kim 2014, the variant that starts from random embeddings.

    Args:
        info: What the model is.
        vocabulary: Number of tokens, at most.
        max_tokens: What comes after is cut off.
        embedding: Width of the embedding.
        filters: Number of filters of each length.
        lengths: Of the filters, in tokens.
        dropout: Share of answers that training drops before the linear layer.
    """
    return TextCNN(info.num_classes, vocabulary, max_tokens, embedding, filters, tuple(lengths), dropout)
