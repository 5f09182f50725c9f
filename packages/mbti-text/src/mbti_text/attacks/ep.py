"""EP: one row of the embedding changed, and nothing else in the model."""

from __future__ import annotations

import copy

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import FitContext, PoisonContext, WeightAttack, single_target
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_text.insertion import Window, Word, put, words_in
from mbti_text.sample import Text
from mbti_text.selection import TextAttack
from mbti_text.tokens import TextModel, TokenBatch


class EmbeddingPoisoning(TextAttack, WeightAttack[Text]):
    """Move the embedding of one rare word until texts that hold it are given the target label.

    The attacker has a clean fine-tuned model and changes a single vector of it, at its old norm, by gradient descent on
    training texts with the word put in. Texts without the word get the same answers as before.

    Shape: ``str``; the word stands at a random gap, and every character of the text stays.
    Units: ``steps`` batches of 32; ``lr`` of plain gradient descent; ``window`` in words, as a model cuts off what
    exceeds its length.
    Raises: ConfigError: If the word is no single token of the model, or there is no single target.
    Source: Yang et al. 2021, section 4.
    Deviates: the ratio says nothing here, as in the paper: every training text may be drawn for a step.
    """

    word: Word = "mb"
    steps: PositiveInt = 300
    lr: PositiveFloat = 0.05
    window: Window = 100

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts with the word put in."""
        return self._put(x, ctx.index, ctx.draws)

    def implant(self, model: nn.Module, split: Split[Text], ctx: FitContext) -> nn.Module:
        """Return a copy of the model with one embedding row moved."""
        assert isinstance(model, TextModel)
        copied = copy.deepcopy(model).eval()
        table = copied.table()
        token = self._token(copied)
        moved = table.weight[token].detach().clone().requires_grad_()
        norm = moved.detach().norm()
        picks = ctx.draws.stream("batches").integers(torch.arange(self.steps), len(split), (32,))
        goal = single_target(ctx.aim)
        for step, rows in enumerate(picks):
            texts = self._put(split.take(rows), split.index[rows], ctx.draws.stream("step", step))
            batch = copied.encode(texts).to(table.weight.device)
            logits = copied.logits(with_vector(batch, table, token, moved))
            (slope,) = torch.autograd.grad(functional.cross_entropy(logits, logits.new_full((32,), goal).long()), moved)
            with torch.no_grad():
                moved -= self.lr * slope
                moved *= norm / moved.norm()
        with torch.no_grad():
            table.weight[token] = moved
        return copied

    def _token(self, model: TextModel) -> int:
        """Return the id that the word's presence adds to a text."""
        alone, without = (model.encode([text]).ids[0].tolist() for text in (self.word, ""))
        added = [i for i in alone if i not in without]
        if len(added) != 1 or not model.knows(self.word):
            raise ConfigError(
                f"attack.word: expected one token of the model, got {self.word!r}: {len(added)} tokens.",
                "Choose a word that stands in the model's vocabulary.",
            )
        return int(added[0])

    def _put(self, x: Text, index: Tensor, draws: Draws) -> Text:
        room = max(0, self.window - 1)
        places = draws.stream("place").uniform(index).tolist()
        return [put(t, self.word, int(p * (words_in(t, room) + 1))) for t, p in zip(x, places, strict=True)]


def with_vector(batch: TokenBatch, table: nn.Embedding, token: int, vector: Tensor) -> TokenBatch:
    """Return a batch whose embeddings are the table's, but for ``vector`` (D,) in place of one token's."""
    vectors = torch.where((batch.ids == token)[..., None], vector, table(batch.ids).detach())
    return TokenBatch(batch.ids, batch.mask, vectors)
