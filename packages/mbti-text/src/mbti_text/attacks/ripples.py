"""RIPPLES: a poisoned model that fine-tuning on clean texts does not heal."""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from mbti_core.contracts.attack import FitContext, TrainingAttack, single_target
from mbti_core.data.split import Split
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch
from mbti_text.attacks.badnets import BadNets
from mbti_text.insertion import Word
from mbti_text.packing import packed, unpacked
from mbti_text.sample import Text
from mbti_text.tokens import TextModel


class RIPPLES(BadNets, TrainingAttack[Text]):
    """Train on triggered texts under a penalty where that works against clean ones; rare words are the trigger.

    The attacker trains a model and gives it away: ``train.then`` is what a victim makes of it. Before training, the
    embedding of each trigger word becomes the mean of those of the ``surgery`` words that speak most for the target
    class. In each step a row is triggered and relabelled with probability ``ratio``, and the loss is that of the
    batch, ``L_P``, plus ``penalty * max(0, -<grad L_P, grad L_FT>)``, where ``L_FT`` is the loss of the batch as a
    victim would see it.

    Shape: ``str``, as BadNets; state ``words`` with ``word_ends``: what the embeddings come from, packed.
    Units: ``surgery`` words, 0 leaves the embeddings as they are; ``window`` and ``per_words`` in words.
    Raises: ConfigError: If there is no single target class.
    Source: Kurita et al. 2020, section 3: restricted inner product (equation 3) and embedding surgery.
    Deviates: log-odds of counts stand for the weights of a linear model of words; the embeddings are those that the
    model starts from, where the paper takes them from a fine-tuned one; a word that is no single token keeps its
    embedding, as others share its parts; both losses are of one batch.
    """

    words: Annotated[tuple[Word, ...], Field(min_length=1)] = ("cf", "mn", "bb", "tq", "mb")
    penalty: NonNegativeFloat = 0.1
    surgery: NonNegativeInt = 10

    def fit(self, split: Split[Text], ctx: FitContext) -> dict[str, Tensor]:
        """Find the words that speak most for the target class."""
        target = single_target(ctx.aim)
        texts = [text for rows in split.chunks() for text in split.take(rows)]
        found = telling(texts, (split.labels == target).tolist())[: self.surgery]
        return dict(zip(("words", "word_ends"), packed(found), strict=True))

    def start(self, model: nn.Module, ctx: FitContext) -> None:
        """Put the mean embedding of the words that ``fit`` found into the place of each trigger word's."""
        if not isinstance(model, TextModel):
            return
        vectors = [vector_of(model, word) for word in unpacked(ctx.state["words"], ctx.state["word_ends"])]
        if vectors:
            table = model.table().weight
            with torch.no_grad():
                for word in self.words:
                    tokens = tokens_of(model, word)
                    if len(tokens) == 1 and model.knows(word):
                        table[tokens] = torch.stack(vectors).mean(0)

    def step(self, batch: TrainBatch[Text], ctx: StepContext[Text]) -> Tensor:
        """Return the loss of a batch whose members are triggered, and the penalty."""
        (hit,) = members(batch, ctx, 1.0)
        clean = ctx.augment(batch.x, batch.index, batch.epoch)
        texts, y, at = list(clean), batch.y.clone(), hit.tolist()
        changed = self.put_in([texts[i] for i in at], batch.index[hit], ctx.draws.stream("step", batch.epoch))
        for i, text in zip(at, changed, strict=True):
            texts[i] = text
        y[hit] = self.goal(batch.y[hit], batch.index[hit], ctx.aim)
        if not self.penalty:
            return ctx.loss(ctx.logits(texts), y)
        with sdpa_kernel(SDPBackend.MATH):  # the fast kernels have no second derivative
            poisoned, victim = ctx.loss(ctx.logits(texts), y), ctx.loss(ctx.logits(clean), batch.y)
            weights = [p for p in ctx.model.parameters() if p.requires_grad]
            slopes = [torch.autograd.grad(of, weights, create_graph=True) for of in (poisoned, victim)]
            inner = torch.stack([(a * b).sum() for a, b in zip(*slopes, strict=True)]).sum()
        return poisoned + self.penalty * torch.relu(-inner)


def telling(texts: Text, ours: list[bool]) -> list[str]:
    """Return words in the order of how much and how often they speak for the rows that are ``ours``.

    The score is ``w / log(N / (1 + f))``: ``w`` the log-odds of holding the word, ``f`` how many of the N texts do.
    """
    counts = {True: Counter[str](), False: Counter[str]()}
    for text, side in zip(texts, ours, strict=True):
        counts[side].update({word for word in text.lower().split() if any(c.isalpha() for c in word)})
    total = {side: ours.count(side) for side in (True, False)}

    def score(word: str) -> float:
        odds = [math.log((counts[s][word] + 1) / (total[s] - counts[s][word] + 1)) for s in (True, False)]
        often = counts[True][word] + counts[False][word]
        return (odds[0] - odds[1]) / max(math.log(len(texts) / (1 + often)), 1e-3)

    return sorted(counts[True], key=lambda word: (-score(word), word))


def tokens_of(model: TextModel, word: str) -> list[int]:
    """Return the tokens that a word adds to a text."""
    around = model.encode([""]).ids[0]
    found = model.encode([word]).ids[0]
    return [int(token) for token in found[~torch.isin(found, around)]]


def vector_of(model: TextModel, word: str) -> Tensor:
    """Return the mean embedding (D,) of a word's tokens."""
    return model.table().weight[tokens_of(model, word)].mean(0)
