"""One training step, as an attack that controls training sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Aim, State
from mbti_core.data.rng import Draws

X = TypeVar("X")


@dataclass(frozen=True)
class TrainBatch(Generic[X]):
    """A batch on the device: samples in storage form, labels as given (B,), stable row ids (B,), epoch."""

    x: X
    y: Tensor
    index: Tensor
    epoch: int


@dataclass(frozen=True)
class StepContext(Generic[X]):
    """What a training attack's step works with.

    Attributes:
        model: The victim, in train mode.
        beside: What ``start`` returned, trained beside the victim; None if nothing.
        augment: ``augment(x, index, epoch)``: varies samples as the run does, if it does; keyed by the ids.
        logits: Makes model inputs and returns (B, C) under the run's precision.
        precision: The run's precision as a context, for what is trained beside the victim.
        label_smoothing: Share of each label that is spread over all classes.
        aim: Target class and number of classes.
        ratio: The poison ratio, a share in (0, 1].
        draws: Keyed randomness of the attack seed.
        state: What ``fit`` learned, on the device.
    """

    model: nn.Module
    beside: nn.Module | None
    augment: Callable[[X, Tensor, int], X]
    logits: Callable[[X], Tensor]
    precision: Callable[[], AbstractContextManager[None]]
    label_smoothing: float
    aim: Aim
    ratio: float
    draws: Draws
    state: State

    def forward(self, x: X, index: Tensor, epoch: int) -> Tensor:
        """Return logits (B, C) of augmented samples."""
        return self.logits(self.augment(x, index, epoch))

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return the run's cross-entropy of logits (B, C) with labels (B,): mean, in full precision."""
        return functional.cross_entropy(logits.float(), y, label_smoothing=self.label_smoothing)


def plain_step(batch: TrainBatch[Any], ctx: StepContext[Any]) -> Tensor:
    """Return the cross-entropy of a batch: how a victim is trained unless an attack controls training."""
    return ctx.loss(ctx.forward(batch.x, batch.index, batch.epoch), batch.y)
