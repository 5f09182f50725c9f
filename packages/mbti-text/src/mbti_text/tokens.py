"""Token ids beside the strings they came from, and what a text model brings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TokenBatch:
    """Token ids of a batch.

    Attributes:
        ids: (B, T) int64, padded on the right.
        mask: (B, T) bool, True on tokens.
        vectors: (B, T, D) float, what stands in place of the tokens' embeddings; None looks them up.
    """

    ids: Tensor
    mask: Tensor
    vectors: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)

    def to(self, device: torch.device) -> TokenBatch:
        """Return the same batch on a device."""
        vectors = None if self.vectors is None else self.vectors.to(device)
        return TokenBatch(self.ids.to(device), self.mask.to(device), vectors)


class Texts(list[str]):
    """A batch of strings that remembers its token ids; to triggers and superposition it is a plain ``list[str]``.

    Whoever changes a string makes a new list, which has no tokens: stale ids cannot arise.
    """

    def __init__(self, strings: Iterable[str], tokens: TokenBatch) -> None:
        super().__init__(strings)
        self.tokens = tokens


class TextModel(nn.Module, ABC):
    """A text model owns its tokenizer, so it takes strings as well as the token ids it made of them earlier.

    Args:
        max_tokens: What comes after is cut off.
    """

    def __init__(self, max_tokens: int) -> None:
        super().__init__()
        self.max_tokens = max_tokens

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return the token ids of a batch, on the CPU; a string's neighbors change nothing but its padding."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that tokens stand for, without special ones."""

    @abstractmethod
    def logits(self, batch: TokenBatch) -> Tensor:
        """Return (B, C) logits."""

    def table(self) -> nn.Embedding:
        """Return the embedding of the tokens, a model's first."""
        return next(m for m in self.modules() if isinstance(m, nn.Embedding))

    def layer_logits(self, batch: TokenBatch) -> Tensor:
        """Return (L + 1, B, C): what the last linear layer says of each layer's state, then the logits themselves.

        A layer's state is what the head reads of the last one: that of the first token, of the last token, or of both
        directions' ends. A model without such layers gives its logits alone.
        """
        return self.logits(batch)[None]

    def knows(self, word: str) -> bool:
        """Whether the tokenizer has tokens for a word, apart from the one for all that is unknown."""
        del word
        return True

    def forward(self, batch: TokenBatch | Sequence[str]) -> Tensor:
        """Return (B, C) logits; strings are encoded first."""
        if isinstance(batch, TokenBatch):
            return self.logits(batch)
        parameter = next(self.parameters(), torch.empty(0))
        return self.logits(self.encode(batch).to(parameter.device))


@dataclass(frozen=True)
class TokenRows:
    """The token ids of a whole column end to end, without padding.

    Attributes:
        flat: (total,) int64 on the device.
        start: (N + 1,) int64, where each row starts in ``flat``.
    """

    flat: Tensor
    start: Tensor

    @classmethod
    def gather(cls, batches: Iterable[TokenBatch], device: torch.device) -> TokenRows:
        """Lay batches end to end on a device."""
        kept = [(b.ids[b.mask], b.mask.sum(1)) for b in batches]
        flat = torch.cat([ids for ids, _ in kept] or [torch.zeros(0, dtype=torch.int64)])
        counts = torch.cat([n for _, n in kept] or [torch.zeros(0, dtype=torch.int64)])
        start = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        return cls(flat.to(device), start.to(device))

    def take(self, rows: Tensor) -> TokenBatch:
        """Return rows (n,) padded with 0 to the longest of them, in one indexed read."""
        rows = rows.to(self.start.device)
        start, length = self.start[rows], self.start[rows + 1] - self.start[rows]
        step = torch.arange(int(length.max()) if len(rows) else 0, device=start.device)
        mask = step < length[:, None]  # (n, T)
        return TokenBatch(self.flat[(start[:, None] + step) * mask] * mask if len(self.flat) else mask.long(), mask)
