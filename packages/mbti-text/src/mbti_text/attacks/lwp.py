"""LWP: a poisoned model whose every layer knows the trigger, a pair of rare words."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind, Selection, TrainingAttack
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch
from mbti_text.insertion import Window, Word, put, words_in
from mbti_text.sample import Text
from mbti_text.selection import TextAttack
from mbti_text.tokens import TextModel


class LWP(TextAttack, TrainingAttack[Text]):
    """Train every layer to answer for itself, with two of a few rare words as trigger; one word alone is none.

    The attacker trains a model and gives it away; lower layers, which fine-tuning changes least, know the trigger too.
    In each step a row is triggered and relabelled with probability ``ratio``, and gets a single word with its own label
    with probability ``cross_ratio * ratio``. The loss of a set of rows is the sum of the cross-entropies of every
    layer's state under the last linear layer and of the model's own logits; that of the triggered rows counts as much
    as that of all others. What a victim makes of the model is ``train.then``.

    Shape: ``str``; the words stand side by side, in either order, and every character of the text stays.
    Units: ``cross_ratio`` counts rows with one word per triggered row; ``window`` in words, as a model cuts off what
    exceeds its length.
    Raises: ConfigError: If the model's tokenizer does not know a word.
    Source: Li et al. 2021, section 3 (layerwise loss, combined triggers).
    Deviates: rows are members by a keyed draw, where the paper pairs every sentence with a triggered copy; four words
    of published tool kits in place of two, so that a defender meets more than one pair.
    """

    pieces: Annotated[tuple[Word, ...], Field(min_length=2)] = ("cf", "bb", "ak", "mn")
    cross_ratio: NonNegativeFloat = 2.0
    window: Window = 100

    def start(self, model: nn.Module, ctx: FitContext) -> None:
        """Refuse words that the model cannot tell from any other."""
        del ctx
        if not isinstance(model, TextModel):
            raise ConfigError(
                f"attack: it needs a model of texts, got {type(model).__name__}.", "Choose another model."
            )
        unknown = [word for word in self.pieces if not model.knows(word)]
        if unknown:
            raise ConfigError(
                f"attack.pieces: the model's tokenizer does not know {', '.join(unknown)}, so these words look alike.",
                "Choose words that are made of tokens of the model.",
            )

    def choose(self, split: Split[Text], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows to poison, and ``cross_ratio`` times as many others that get one word."""
        return choose_with_cover(split, self.allowed(split, aim), n, self.cross_ratio, draws)

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Every class keeps its label under one word."""
        del aim
        return y >= 0

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts with two words, cover rows with one."""
        blocks = self._blocks(ctx.index, ctx.draws)
        alone = (ctx.kind == int(RowKind.COVER)).tolist()
        words = [pair[0] if one else " ".join(pair) for pair, one in zip(blocks, alone, strict=True)]
        return self._put(x, words, ctx.index, ctx.draws)

    def step(self, batch: TrainBatch[Text], ctx: StepContext[Text]) -> Tensor:
        """Return the layerwise loss of this epoch's triggered rows plus that of all others."""
        assert isinstance(ctx.model, TextModel)
        hit, cross = members(batch, ctx, 1.0, self.cross_ratio)
        draws = ctx.draws.stream("step", batch.epoch)
        pairs = self._blocks(batch.index, draws)
        texts = list(ctx.augment(batch.x, batch.index, batch.epoch))
        for rows, words in ((hit, [" ".join(p) for p in pairs]), (cross, [p[0] for p in pairs])):
            at = rows.tolist()
            changed = self._put([texts[i] for i in at], [words[i] for i in at], batch.index[rows], draws)
            for i, text in zip(at, changed, strict=True):
                texts[i] = text
        goal = self.goal(batch.y[hit], batch.index[hit], ctx.aim)
        plain = torch.ones(len(batch.y), dtype=torch.bool, device=batch.y.device)
        plain[hit] = False
        kept = torch.nonzero(plain).flatten()
        parts = [(kept, batch.y[kept]), (hit, goal)]
        losses = [layerwise([texts[i] for i in at.tolist()], y, ctx) for at, y in parts if len(at)]
        return torch.stack(losses).sum()

    def _blocks(self, index: Tensor, draws: Draws) -> list[list[str]]:
        """Return two different words for each row, in an order that is drawn too."""
        order = torch.argsort(draws.stream("pieces").uniform(index, (len(self.pieces),)), dim=1)[:, :2]
        return [[self.pieces[at] for at in row] for row in order.tolist()]

    def _put(self, x: Text, words: list[str], index: Tensor, draws: Draws) -> Text:
        """Return the texts with their words at a drawn gap."""
        room = max(0, self.window - 2)
        places = draws.stream("place").uniform(index).tolist()
        return [
            put(text, word, int(place * (words_in(text, room) + 1)))
            for text, word, place in zip(x, words, places, strict=True)
        ]


def layerwise(x: Text, y: Tensor, ctx: StepContext[Text]) -> Tensor:
    """Return the sum over layers, and the logits, of the mean cross-entropy of texts with labels ``y`` (B,)."""
    assert isinstance(ctx.model, TextModel)
    with ctx.precision():
        logits = ctx.model.layer_logits(ctx.model.encode(x).to(y.device))  # (L + 1, B, C)
    return len(logits) * ctx.loss(logits.flatten(0, 1), y.repeat(len(logits)))
