"""A differentiable family of triggers on texts: soft words put in among a text's embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.trigger_space import Family, Params
from mbti_core.data.rng import Draws
from mbti_text.tokens import TextModel, TokenBatch

WORDS = 10
"""Soft words of a trigger, at most as many count."""

_FAINT = 0.01
_OTHERS = 16
_SURE = 40.0  # a gate and a mixture that are open and pure to the last bit
_SCALE = 5.0  # a search that moves parameters by 0.1 moves mixtures by 0.5, as their authors do


@dataclass(frozen=True)
class SoftWords:
    """Soft words that stand in a text, each as far as its gate is open: ``g (w E) + (1 - g) mean(E)``.

    A lifted batch is (B, T, D + 1): the embeddings of the tokens and, last, 1 where there is a token. Parameters have
    no batch axis: ``gates`` (n, 1), whose sigmoids g are the gates, and ``words`` (n, W): the softmax w of 5 times them
    mixes the embeddings E of the words that can be typed. The size is the sum of the gates: how many words the trigger
    has. Rows get it behind the first token, in the middle and before the last token in turn, so that what is found does
    not depend on its place. Stacked parameters (K, 1, ...) give (K, B, T + n, D + 1) and (K, B, C) logits.

    Source: Shen et al., DBS, ICML 2022, section 3: a mixture over the vocabulary, optimized at the embedding.
    Deviates: adapted. Gates and their sum stand for the mask of Neural Cleanse and its size, so that one inversion
    serves all modalities; several places.

    Attributes:
        table: (V, D), the model's embedding.
        neutral: (D,), its mean: what a closed gate leaves.
        typed: (W,) int64, tokens that a person can type: one word of theirs is one token.
        longest: What the model reads of a text, in tokens.
    """

    table: Tensor
    neutral: Tensor
    typed: Tensor
    longest: int

    def lift(self, model: nn.Module, batch: TokenBatch | list[str]) -> Tensor:
        """Return the embeddings (B, T, D) of the tokens, and the mask as one more channel."""
        assert isinstance(model, TextModel)
        tokens = (batch if isinstance(batch, TokenBatch) else model.encode(batch)).to(self.table.device)
        return torch.cat([self.table[tokens.ids], tokens.mask[..., None].to(self.table.dtype)], -1)

    def initial(self, draws: Draws) -> Params:
        """Return half-open gates and nearly even mixtures."""
        one = torch.zeros(1, dtype=torch.int64)
        start = draws.stream("words").uniform(one, (WORDS, len(self.typed)))[0].to(self.table.device)
        return {"gates": start.new_zeros(WORDS, 1), "words": _FAINT / _SCALE * start.to(self.table.dtype)}

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return (B, T + n, D + 1): the soft words among the tokens; what the model would not read is cut off."""
        gate = params["gates"].sigmoid()
        mixed = (_SCALE * params["words"]).softmax(-1) @ self.table[self.typed]
        soft = gate * mixed + (1 - gate) * self.neutral
        soft = torch.cat([soft, torch.ones_like(soft[..., :1])], -1)
        soft = soft if soft.dim() == 2 else soft.squeeze(-3)  # (n, D + 1) or (K, n, D + 1)
        count = soft.shape[-2]
        total = min(lifted.shape[-2] + count, max(self.longest, count))
        at = torch.arange(total, device=lifted.device)
        into = at - self._places(lifted, total - count)[:, None]  # (B, total), from 0 to n - 1 in the trigger
        source = torch.where(into < 0, at, at - count).clamp(0, lifted.shape[-2] - 1)
        kept = lifted.gather(-2, source[..., None].expand(-1, -1, lifted.shape[-1]))
        inside = ((into >= 0) & (into < count))[..., None]
        return torch.where(inside, soft[..., into.clamp(0, count - 1), :], kept)

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C), or (K, B, C) of stacked triggers."""
        assert isinstance(model, TextModel)
        flat = lifted.flatten(0, -3)
        mask = flat[..., -1] > 0
        logits = model.logits(TokenBatch(mask.long(), mask, flat[..., :-1]))
        return logits.view(*lifted.shape[:-2], -1)

    def size(self, params: Params) -> Tensor:
        """Return the sum of the gates, in words."""
        return params["gates"].sigmoid().sum((-2, -1))

    def discrete(self, params: Params) -> Sequence[Params]:
        """Return each soft word's likeliest, where its gate is more than half open, one at least; then single words.

        Those are the likeliest of the mixture behind the most open gate: of triggers that are one word of several, a
        search ends at one, but all were in its way.
        """
        nearest = self._likeliest(params)
        strongest = params["words"][int(params["gates"].flatten().argmax())]
        single = strongest.topk(min(_OTHERS, len(self.typed))).indices[:, None]
        return [self._typed_in(words) for words in (nearest, *(s for s in single if not torch.equal(s, nearest)))]

    def _typed_in(self, words: Tensor) -> Params:
        pure = functional.one_hot(words, len(self.typed)).to(self.table.dtype)
        return {"gates": _SURE * pure.new_ones(len(words), 1), "words": _SURE * pure}

    def shown(self, model: nn.Module, params: Params) -> list[str]:
        """Return the trigger in words, its discrete form."""
        assert isinstance(model, TextModel)
        return [model.decode(self.typed[self._likeliest(params)].tolist())]

    def _likeliest(self, params: Params) -> Tensor:
        gates = params["gates"].flatten()
        return params["words"].argmax(-1)[(gates > 0) | (gates == gates.max())]

    def _places(self, lifted: Tensor, most: int) -> Tensor:
        """Return (B,) int64, before which token of each row the trigger stands."""
        length = lifted[..., -1].sum(-1).long()
        rows = torch.arange(len(lifted), device=lifted.device)
        places = torch.stack([torch.ones_like(length), length // 2, length - 1])
        return places[rows % len(places), rows].clamp(0, most)


def trigger_space(model: nn.Module, family: Family) -> SoftWords | None:
    """Return soft words; None for a family that there is not, and for models that are no text models.

    Args:
        model: Batch to logits; triggers are made where its parameters are.
        family: ``mask``. What changes a text's embeddings everywhere by a little is no text any more.
    """
    if family != "mask" or not isinstance(model, TextModel):
        return None
    table = model.table().weight.detach()
    return SoftWords(table, table.mean(0), typed(model).to(table.device), model.max_tokens)


def typed(model: TextModel) -> Tensor:
    """Return the tokens (W,) int64, ascending, that their own spelling gives again, as one token of a text."""
    tokens = torch.arange(model.table().num_embeddings)
    batch = model.encode([model.decode([token]) for token in tokens.tolist()])
    own = batch.mask & ~torch.isin(batch.ids, model.encode([""]).ids[0])  # without what every text has around it
    return tokens[(own.sum(1) == 1) & ((batch.ids * own).sum(1) == tokens)]
