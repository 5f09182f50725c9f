"""How surprising a text is to a language model: a pretrained one, or one counted on a few texts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

_ORDER = 4  # characters that the next one depends on
_BORDER = "\n"
_BATCH, _LONGEST = 32, 512  # texts at once; tokens of a text that are read


class Perplexity(Protocol):
    """A language model, as far as it is asked."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return (B,) float64: the exponential of each text's mean negative log-likelihood; 1 of an empty text."""


class Counted:
    """A model of characters, each given the four before it, counted on some texts.

    Source: Witten and Bell 1991, method C: an unseen continuation has the weight of as many as were seen.

    Args:
        texts: What is counted; capital letters count as small ones.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for text in texts:
            padded = _padded(text)
            for at in range(_ORDER, len(padded)):
                for order in range(_ORDER + 1):
                    self.seen[padded[at - order : at]][padded[at]] += 1
        self.known: dict[str, float] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return each text's perplexity per character."""
        return torch.tensor([self._of(text) for text in texts], dtype=torch.float64)

    def _of(self, text: str) -> float:
        padded = _padded(text)
        steps = [self._surprise(padded[at - _ORDER : at + 1]) for at in range(_ORDER, len(padded))]
        return math.exp(math.fsum(steps) / len(steps)) if text else 1.0

    def _surprise(self, window: str) -> float:
        """Return -log p of the last character of a window, given those before it."""
        if window not in self.known:
            p = 1 / (len(self.seen[""]) + 1)
            for first in range(len(window) - 1, -1, -1):
                after = self.seen.get(window[first:-1])
                if after is None:
                    break
                p = (after[window[-1]] + len(after) * p) / (after.total() + len(after))
            self.known[window] = -math.log(p)
        return self.known[window]


def _padded(text: str) -> str:
    return _BORDER * _ORDER + text.lower() + _BORDER


class Pretrained:
    """A causal language model of the transformers library.

    Args:
        net: Token ids and mask to logits of the next token.
        tokenizer: Of the model.
        device: Where it computes.
    """

    def __init__(self, net: Any, tokenizer: Any, device: torch.device) -> None:
        self.net, self.tokenizer, self.device = net.eval().to(device), tokenizer, device
        self.longest = min(_LONGEST, getattr(net.config, "max_position_embeddings", None) or _LONGEST)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return each text's perplexity per token; padding does not count, and a text of one token has nothing to."""
        found = [self._of(texts[first : first + _BATCH]) for first in range(0, len(texts), _BATCH)]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)

    def _of(self, texts: Sequence[str]) -> Tensor:
        rows = [self.tokenizer(text, truncation=True, max_length=self.longest)["input_ids"] for text in texts]
        ids = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
            mask[row, : len(tokens)] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        logits = self.net(input_ids=ids, attention_mask=mask).logits[:, :-1].double()
        loss = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none") * mask[:, 1:]
        perplexity: Tensor = (loss.sum(1) / mask[:, 1:].sum(1).clamp_min(1)).exp().cpu()
        return perplexity
