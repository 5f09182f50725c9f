"""IAB: each picture gets a pattern of its own, at places of its own."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Selection, TrainingAttack
from mbti_core.contracts.model import Recipe
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.donors import donated, partners, pattern_sources
from mbti_image.generator import (
    DEVIATION,
    Generator,
    answers,
    check_size,
    fresh_generator,
    kept_generator,
    rounded,
    to_bytes,
)
from mbti_image.modality import to_float
from mbti_image.sample import Image, Share

_MASK_WEIGHT = 100.0
_BATCH = 64
_TINY = 1e-7


class IAB(TrainingAttack[Image]):
    """Let a net make each picture's own pattern, which fails on any other picture; the attacker controls training.

    A mask net is trained first and says where patterns go. In each step a row carries its own pattern and is relabelled
    with probability ``ratio``, and carries another row's with its own label with probability ``cross_ratio * ratio``;
    victim and generator descend together. The static form fixes such rows once.

    Shape: uint8 (B, 3, H, W) in [0, 255], sides of at least 16; state: weights ``mask.*`` and ``beside.*``, ``donors``
    uint8 (D, 3, H, W) and their row ids.
    Units: ``density`` is the share of a picture that the mask may cover for free, ``diversity`` the weight of patterns
    that differ, ``mask_steps`` batches of 64 pairs, ``width`` channels of the nets' first level.
    Raises: ConfigError: If a side has fewer than 16 pixels.
    Source: Nguyen and Tran 2020, sections 3.2 to 3.4.
    Deviates: nets of a quarter of the channels, with skips, and a mask from few batches, so that short training on a
    processor suffices (without skips, foreign patterns are told apart much later); rows are members by a keyed draw
    instead of the first of a shuffled batch; a cross row's pattern comes from another row of its batch instead of a
    second loader, in the static form from a fixed set of ``donors``; the generator's gradients are cleared in each
    step, where published code lets them add up, and its learning rate is lower and falls along a cosine; pixels are
    rounded, with gradients passed through.
    """

    density: Share = 0.032
    cross_ratio: NonNegativeFloat = 1.0
    diversity: NonNegativeFloat = 1.0
    width: PositiveInt = 8
    mask_steps: PositiveInt = 150
    donors: Annotated[int, Field(ge=2)] = 256

    beside_recipe: ClassVar[Recipe | None] = Recipe(optimizer="adam", lr=0.003, weight_decay=0.0)

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Train the mask net: small masks that differ between pictures."""
        check_size(split)
        with scoped_globals(ctx.draws.stream("mask").seed):
            net = fresh_generator(1, self.width, ctx.device)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01, betas=(0.5, 0.9))
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [self.mask_steps * 2 // 5, self.mask_steps * 4 // 5])
        picks = ctx.draws.stream("pairs").integers(torch.arange(self.mask_steps), len(split), (2 * _BATCH,))
        for rows in picks:
            x = to_float(split.take(rows).to(ctx.device))
            mask = sharp(net(x))
            loss = _MASK_WEIGHT * functional.relu(mask - self.density).mean()
            loss = loss + self.diversity / DEVIATION * likeness(x[:_BATCH], x[_BATCH:], mask[:_BATCH], mask[_BATCH:])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()
        kept = {f"mask.{name}": t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
        return kept | donated(split, self.donors, ctx.draws)

    def start(self, model: nn.Module, ctx: FitContext) -> Generator:
        """Return the untrained generator."""
        del model
        return fresh_generator(3, self.width, ctx.device)

    def choose(self, split: Split[Image], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows to poison, and ``cross_ratio`` times as many others to carry a foreign pattern."""
        return choose_with_cover(split, self.victims(split.labels, aim), n, self.cross_ratio, draws)

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Every class keeps its label under another picture's pattern."""
        del aim
        return y >= 0

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return every row with its own pattern; cover rows with a donor's."""
        sources, mine = pattern_sources(x, ctx), to_float(x)
        pattern = bounded(answers(kept_generator(3, self.width, ctx.state, "beside."), sources))
        mask = sharp(answers(kept_generator(1, self.width, ctx.state, "mask."), sources))
        return to_bytes(mine + (pattern - mine) * mask)

    def step(self, batch: TrainBatch[Image], ctx: StepContext[Image]) -> Tensor:
        """Return the cross-entropy with this epoch's own and foreign patterns, and how alike patterns are."""
        hit, cross = members(batch, ctx, 1.0, self.cross_ratio)
        x, y = to_float(ctx.augment(batch.x, batch.index, batch.epoch)), batch.y.clone()
        y[hit] = self.goal(y[hit], batch.index[hit], ctx.aim)
        rows, sources = torch.cat([hit, cross]), torch.cat([hit, partners(cross, len(y))])
        if not len(rows):
            return ctx.loss(ctx.logits(x), y)
        assert ctx.beside is not None
        with ctx.precision():
            pattern = bounded(ctx.beside(x[sources]))
            mask = sharp(kept_generator(1, self.width, ctx.state, "mask.")(x[sources]))
        mixed = rounded(x[rows] + (pattern - x[rows]) * mask)
        loss = ctx.loss(ctx.logits(x.index_copy(0, rows, mixed)), y)
        n, pairs = len(hit), min(len(hit), len(cross))
        if not pairs:
            return loss
        own, other = slice(0, pairs), slice(n, n + pairs)
        return loss + self.diversity * likeness(x[sources[own]], x[sources[other]], pattern[own], pattern[other])


def bounded(answer: Tensor) -> Tensor:
    """Return a net's answer in [0, 1]."""
    return answer.tanh() / (2 + _TINY) + 0.5


def sharp(answer: Tensor) -> Tensor:
    """Return a mask in [0, 1], most of it near either end."""
    return (20 * bounded(answer) - 10).tanh() / (2 + _TINY) + 0.5


def likeness(x: Tensor, other: Tensor, made: Tensor, of_other: Tensor) -> Tensor:
    """Return how much less two nets' answers differ than the pictures do: the mean ratio of RMS distances."""
    apart, between = ((a - b).square().mean((1, 2, 3)).add(_TINY**2).sqrt() for a, b in ((x, other), (made, of_other)))
    return (apart / (between + _TINY)).mean()
