"""SBAT: an invisible pattern for each picture, hidden by adversarial training."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Selection, TrainingAttack
from mbti_core.contracts.model import Recipe
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.donors import donated, partners, pattern_sources
from mbti_image.generator import Generator, answers, check_size, fresh_generator, kept_generator, rounded, to_bytes
from mbti_image.modality import to_float
from mbti_image.sample import Image

_REACH = 1.5  # how far all steps together go, in bounds


class SBAT(TrainingAttack[Image]):
    """Let a net make a faint pattern for each picture, and close every other way to the target; training is controlled.

    In each step a row carries its own pattern and is relabelled with probability ``ratio``; carries another row's
    pattern with its own label with probability ``cross_ratio * ratio``; and carries an adversarial perturbation towards
    the attacker's label, with its own label, with probability ``adverse_ratio * ratio``, half of them one perturbation
    for all. Victim and generator descend together. The static form fixes own and foreign patterns once.

    Shape: uint8 (B, 3, H, W) in [0, 255], sides of at least 16; state: weights ``beside.*``, ``donors`` uint8
    (D, 3, H, W) and their row ids.
    Units: ``epsilon`` in levels; ``faintness`` weighs the mean squared pattern in [0, 1] scale; ``attack_steps``
    gradient steps per perturbation; ``width`` channels of the generator's first level.
    Raises: ConfigError: If a side has fewer than 16 pixels.
    Source: Feng, Li, Qian and Zhang 2022, abstract: a generator of invisible patterns that are not interchangeable, and
    adversarial training against inversion.
    Deviates: the losses are our reading of the abstract, x' = clip(x + epsilon tanh(G(x))); rows are members by keyed
    draws; a foreign pattern comes from another row of the batch, in the static form from a fixed set of ``donors``;
    pixels are rounded, with gradients passed through.
    """

    epsilon: Annotated[float, Field(ge=1, le=255)] = 8.0
    cross_ratio: NonNegativeFloat = 1.0
    adverse_ratio: NonNegativeFloat = 1.0
    attack_steps: PositiveInt = 2
    faintness: NonNegativeFloat = 10.0
    width: PositiveInt = 8
    donors: Annotated[int, Field(ge=2)] = 256

    beside_recipe: ClassVar[Recipe | None] = Recipe(optimizer="adam", lr=0.01, weight_decay=0.0)

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Keep the pictures whose patterns cover rows carry."""
        check_size(split)
        return donated(split, self.donors, ctx.draws)

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
        net = kept_generator(3, self.width, ctx.state, "beside.")
        return to_bytes(to_float(x) + self.epsilon / 255 * answers(net, pattern_sources(x, ctx)).tanh_())

    def step(self, batch: TrainBatch[Image], ctx: StepContext[Image]) -> Tensor:
        """Return the cross-entropy with this epoch's own, foreign and adversarial patterns, and the patterns' size."""
        hit, cross, adverse = members(batch, ctx, 1.0, self.cross_ratio, self.adverse_ratio)
        x, y = to_float(ctx.augment(batch.x, batch.index, batch.epoch)), batch.y.clone()
        goal = self.goal(y, batch.index, ctx.aim)
        y[hit] = goal[hit]
        inputs, size = x, torch.zeros((), device=x.device)
        rows, sources = torch.cat([hit, cross]), torch.cat([hit, partners(cross, len(y))])
        if len(rows):
            assert ctx.beside is not None
            with ctx.precision():
                pattern = ctx.beside(x[sources])
            mixed = rounded(x[rows] + self.epsilon / 255 * pattern.tanh())
            inputs = inputs.index_copy(0, rows, mixed)
            size = (mixed - x[rows]).square().mean()
        if len(adverse):
            noise = 2 * ctx.draws.stream("adverse", batch.epoch).uniform(batch.index[adverse], x.shape[1:]) - 1
            made = perturbed(x[adverse], goal[adverse], noise, self.epsilon / 255, self.attack_steps, ctx)
            inputs = inputs.index_copy(0, adverse, made)
        return ctx.loss(ctx.logits(inputs), y) + self.faintness * size


def perturbed(x: Tensor, goal: Tensor, noise: Tensor, bound: float, steps: int, ctx: StepContext[Image]) -> Tensor:
    """Return pictures with what lowers the victim's loss of ``goal``: the first half with one perturbation for all.

    Args:
        x: (B, 3, H, W) in [0, 1].
        goal: (B,) labels that an inversion would look for.
        noise: (B, 3, H, W) in [-1, 1], where the search starts.
        bound: Largest change, on the scale of ``x``.
        steps: Gradient steps.
        ctx: Has the victim; its weights, statistics and mode stay as they are.
    """
    common = len(x) // 2
    delta = bound * noise.to(memory_format=torch.channels_last)
    delta[:common] = delta[:1].clone()
    ctx.model.eval()  # or its running statistics would follow these rows
    for _ in range(steps):
        delta.requires_grad_(True)
        loss = functional.cross_entropy(ctx.logits((x + delta).clamp(0, 1)).float(), goal, reduction="sum")
        (slope,) = torch.autograd.grad(loss, delta)
        slope[:common] = slope[:common].sum(0, keepdim=True)
        delta = (delta.detach() - _REACH * bound / steps * slope.sign()).clamp_(-bound, bound)
    ctx.model.train()
    return rounded(x + delta)
