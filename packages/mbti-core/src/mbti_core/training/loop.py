"""The loop that trains a victim, its benign twin, and anything else that is trained from scratch.

The encoded split lives on the device, a batch is an index selection, and augmentation, trigger and normalization are
batched tensor operations there. Every draw is keyed by (seed, epoch, row id), so a killed run goes on bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.attack import Aim, State
from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.model import Recipe
from mbti_core.data.lengths import mixed_batches
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.engine.config import TrainConfig
from mbti_core.errors import ConfigError
from mbti_core.training.checkpoint import load_checkpoint, save_checkpoint
from mbti_core.training.optimize import Pace, thaw
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_core.training.subject import Subject

Step = Callable[[TrainBatch[Any], StepContext[Any]], Tensor]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Part:
    """A training attack's part in a training.

    Attributes:
        aim: What the attacker wants.
        ratio: The poison ratio.
        draws: Keyed randomness of the attack seed.
        state: What ``fit`` learned, on the device.
        beside: What is trained beside the model.
    """

    aim: Aim
    ratio: float
    draws: Draws
    state: State
    beside: nn.Module | None = None


NO_PART = Part(Aim(0, 1), 0.0, Draws(0), {})  # the plain step reads none of it


@dataclass(frozen=True)
class Fit:
    """What ``fit_model`` works on.

    Attributes:
        subject: The model to train, in place, on its device.
        data: Training rows on the device.
        config: Epochs, batch size, optimizer, schedule.
        seed: The train seed.
        part: What a training attack brings to each step.
        step: Gives the loss of a batch.
        recipe: Optimizer and schedule of what is trained beside the model; None takes the model's.
        end_epoch: Called between epochs.
        folder: Where checkpoints go; None keeps none.
        progress: Hears (complete epochs, all epochs, mean loss).
    """

    subject: Subject
    data: LabelledSet
    config: TrainConfig
    seed: int
    part: Part = NO_PART
    step: Step = plain_step
    recipe: Recipe | None = None
    end_epoch: Callable[[StepContext[Any]], None] = lambda ctx: None
    folder: Path | None = None
    progress: Progress = field(default=lambda done, total, loss: None)


def _context(job: Fit, run: Callable[[Any], Any], draws: Draws) -> StepContext[Any]:
    subject, part, strength = job.subject, job.part, float(job.config.augment)
    streams: dict[int, Draws] = {}

    def augment(x: Any, index: Tensor, epoch: int) -> Any:
        if not strength:
            return x
        if epoch not in streams:
            streams.clear()
            streams[epoch] = draws.stream("augment", epoch)
        return subject.adapters.augment(x, index, subject.info.modality, strength, streams[epoch], subject.info.facts)

    def logits(x: Any) -> Tensor:
        with subject.precision():
            found: Tensor = run(subject.encode(x))
        return found

    smoothing = job.config.label_smoothing
    told = (part.aim, part.ratio, part.draws, part.state)
    return StepContext(subject.model, part.beside, augment, logits, subject.precision, smoothing, *told)


def fit_model(job: Fit) -> dict[str, list[float]]:
    """Train, and return the curves (``loss``: mean training loss per epoch).

    A seeded call gives the same weights twice on the same machine with the same number of threads. Frozen parameters
    stay as they are, unless all are frozen: a model that was only to answer is trained whole.

    Raises:
        ConfigError: If the loss of an epoch is not finite.
    """
    config, model = job.config, job.subject.model
    thaw(model)
    if any(p.dim() == 4 for p in model.parameters()):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this keyword
    pace = Pace(model, config, job.part.beside, job.recipe)
    done, history = load_checkpoint(job.folder, pace.modules, pace.optimizers) if job.folder else (0, {})
    history = history or {"loss": []}
    run: Any = torch.compile(model) if config.compile else model
    draws = Draws(job.seed).stream("train")
    ctx = _context(job, run, draws)
    for epoch in range(done, config.epochs):
        for module in pace.modules.values():
            module.train()
        with scoped_globals(draws.stream("globals", epoch).seed % 2**63):
            loss = _epoch(job, ctx, pace, epoch, draws.stream("order", epoch))
        if not math.isfinite(loss):
            raise ConfigError(
                f"The training of {job.subject.info.arch} diverged: the mean loss of epoch {epoch + 1} is {loss}.",
                f"Lower its learning rate, {config.lr:g}.",
            )
        job.end_epoch(ctx)
        history["loss"].append(loss)
        if job.folder and epoch + 1 < config.epochs:
            save_checkpoint(job.folder, epoch + 1, pace.modules, pace.optimizers, history)
        job.progress(epoch + 1, config.epochs, loss)
    model.eval()
    return history


def _epoch(job: Fit, ctx: StepContext[Any], pace: Pace, epoch: int, draws: Draws) -> float:
    config, data = job.config, job.data
    order = draws.permutation(len(data.y), data.y.device)
    steps = mixed_batches(order, config.batch_size, data.x.lengths(), draws.stream("batches"))
    total = torch.zeros((), device=data.y.device)
    for at, rows in enumerate(steps):
        pace.at(epoch * len(steps) + at, config.epochs * len(steps))
        batch = TrainBatch(data.x.take(rows), data.y[rows], data.index[rows], epoch)
        loss = job.step(batch, ctx)
        pace.step(loss)
        total += loss.detach() * len(rows)
    return float(total) / len(data.y)
