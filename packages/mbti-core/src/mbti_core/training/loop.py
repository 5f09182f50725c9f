"""The loop that trains a victim, its benign twin, and anything else that is trained from scratch.

The encoded split lives on the device, a batch is an index selection, and augmentation, trigger and normalization are
batched tensor operations there. Every draw is keyed by (seed, epoch, row id), so a killed run goes on bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.defense import LabelledSet
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import batches
from mbti_core.engine.config import TrainConfig
from mbti_core.training.checkpoint import load_checkpoint, save_checkpoint
from mbti_core.training.optimize import lr_at, make_optimizer
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_core.training.subject import Subject

Step = Callable[[TrainBatch[Any], StepContext[Any]], Tensor]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Fit:
    """What ``fit_model`` works on.

    Attributes:
        subject: The model to train, in place, on its device.
        data: Training rows on the device.
        config: Epochs, batch size, optimizer, schedule.
        seed: The train seed.
        step: Gives the loss of a batch.
        context: Builds the step's context around the loop's ``forward``.
        beside: What a training attack trains beside the model.
        end_epoch: Called between epochs.
        folder: Where checkpoints go; None keeps none.
        progress: Hears (complete epochs, all epochs, mean loss).
    """

    subject: Subject
    data: LabelledSet
    config: TrainConfig
    seed: int
    context: Callable[[Callable[[Any, Tensor, int], Tensor]], StepContext[Any]]
    step: Step = plain_step
    beside: nn.Module | None = None
    end_epoch: Callable[[StepContext[Any]], None] = lambda ctx: None
    folder: Path | None = None
    progress: Progress = field(default=lambda done, total, loss: None)


def augmenting_forward(
    subject: Subject, model: Callable[[Any], Any], draws: Draws, *, augment: bool
) -> Callable[[Any, Tensor, int], Tensor]:
    """Return ``forward(x, index, epoch) -> logits``: augment by key, make inputs, run the model under its precision."""
    streams: dict[int, Draws] = {}

    def forward(x: Any, index: Tensor, epoch: int) -> Tensor:
        if augment:
            if epoch not in streams:
                streams.clear()
                streams[epoch] = draws.stream("augment", epoch)
            x = subject.adapters.augment(x, index, subject.info.modality, streams[epoch], subject.info.facts)
        with subject.precision():
            logits: Tensor = model(subject.encode(x))
        return logits

    return forward


def fit_model(job: Fit) -> dict[str, list[float]]:
    """Train, and return the curves (``loss``: mean training loss per epoch).

    A seeded call gives the same weights twice on the same machine with the same number of threads.
    """
    config, model = job.config, job.subject.model
    if any(p.dim() == 4 for p in model.parameters()):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this keyword
    modules = {"model": model} | ({"beside": job.beside} if job.beside is not None else {})
    trained = nn.ModuleDict(modules)
    optimizer = make_optimizer(trained, config.optimizer, config.lr, config.momentum, config.weight_decay)
    done, history = load_checkpoint(job.folder, modules, optimizer) if job.folder else (0, {})
    history = history or {"loss": []}
    run: Any = torch.compile(model) if config.compile else model
    draws = Draws(job.seed).stream("train")
    ctx = job.context(augmenting_forward(job.subject, run, draws, augment=config.augment))
    for epoch in range(done, config.epochs):
        trained.train()
        with scoped_globals(draws.stream("globals", epoch).seed % 2**63):
            loss = _epoch(job, ctx, optimizer, epoch, draws.stream("order", epoch))
        job.end_epoch(ctx)
        history["loss"].append(loss)
        if job.folder and epoch + 1 < config.epochs:
            save_checkpoint(job.folder, epoch + 1, modules, optimizer, history)
        job.progress(epoch + 1, config.epochs, loss)
    model.eval()
    return history


def _epoch(job: Fit, ctx: StepContext[Any], optimizer: torch.optim.Optimizer, epoch: int, draws: Draws) -> float:
    config, data = job.config, job.data
    order = draws.permutation(len(data.y), data.y.device)
    steps = list(batches(order, config.batch_size))
    if len(steps) > 1 and len(steps[-1]) == 1:
        steps[-2:] = [torch.cat(steps[-2:])]  # one row alone has no variance for a BatchNorm
    total = torch.zeros((), device=data.y.device)
    for at, rows in enumerate(steps):
        factor = lr_at(config.schedule, epoch * len(steps) + at, config.epochs * len(steps), config.warmup)
        for group in optimizer.param_groups:
            group["lr"] = config.lr * factor
        batch = TrainBatch(data.x.take(rows), data.y[rows], data.index[rows], epoch)
        loss = job.step(batch, ctx)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        total += loss.detach() * len(rows)
    return float(total) / len(data.y)
