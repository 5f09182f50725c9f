"""What an attacker does with a clean model of its own: ask for its loss, and change pictures along its gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.attack import FitContext
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.training.subject import Subject
from mbti_image.sample import Image

BATCH = 64
_LEARNING_RATE = 0.05


def surrogate_of(ctx: FitContext) -> Subject:
    """Return the benign twin that an attack with the trait ``surrogate`` is given."""
    assert ctx.surrogate is not None
    return ctx.surrogate


def rows_of(split: Split[Image], target: int) -> Tensor:
    """Return the positions of the rows that are labelled with the target class.

    Raises:
        ConfigError: If there is none.
    """
    rows = torch.nonzero(split.labels == target).flatten()
    if not len(rows):
        raise ConfigError(
            f"attack.target: no training row is of class {target}, and the attack learns from such rows.",
            "Name a target class that is in the data.",
        )
    return rows


def losses(surrogate: Subject, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy (B,) of pictures in [0, 1] under labels ``y`` (B,), differentiable in the pictures."""
    with surrogate.precision():
        logits = surrogate.model(surrogate.encode(x))
    return functional.cross_entropy(logits.float(), y, reduction="none")


def drawn(split: Split[Image], rows: Tensor, steps: int, ctx: FitContext) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ``steps`` batches of 64 among the positions ``rows``: pictures in [0, 1] on the device, and their ids."""
    surrogate = surrogate_of(ctx)
    for picks in ctx.draws.stream("batches").integers(torch.arange(steps), len(rows), (BATCH,)):
        at = rows[picks]
        yield surrogate.encode(split.take(at)), split.index[at]


def hardened(surrogate: Subject, split: Split[Image], epsilon: int, steps: int, ctx: FitContext) -> Subject:
    """Return a copy of the surrogate that was trained further on pictures changed against it.

    Its gradient follows shapes where a plain model's looks like noise. One step up the loss from a random start, as in
    Wong, Rice and Kolter 2020.

    Args:
        surrogate: Stays as it is.
        split: Training rows.
        epsilon: Largest change of a pixel, in levels.
        steps: Batches of 64, over which the learning rate falls from 0.05 to 0.
        ctx: Gives the draws.
    """
    model = copy.deepcopy(surrogate.model).train()
    learner = surrogate.with_model(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], momentum=0.9, weight_decay=5e-4)
    bound, start = epsilon / 255, ctx.draws.stream("start")
    known, order = split.index.sort()
    for step, (x, index) in enumerate(drawn(split, torch.arange(len(split)), steps, ctx)):
        y = split.labels[order[torch.searchsorted(known, index)]].to(x.device)
        change = (2 * start.stream(step).uniform(index, x.shape[1:]).to(x.device) - 1) * bound
        at = (x + change).requires_grad_()
        (slope,) = torch.autograd.grad(losses(learner, at, y).sum(), [at])
        changed = (x + (change + 1.25 * bound * slope.sign()).clamp(-bound, bound)).clamp(0, 1)
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (1 - step / steps)
        optimizer.zero_grad(set_to_none=True)
        losses(learner, changed, y).mean().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
    model.eval()
    return learner


def descend(
    surrogate: Subject,
    raw: Tensor,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    triggered: Callable[[Tensor, Tensor], Tensor],
    target: int,
) -> None:
    """Change ``raw`` in place so that the surrogate sees the target class in triggered pictures.

    Args:
        surrogate: Stays as it is; so do its gradients.
        raw: What the optimizer steps on; requires gradients.
        optimizer: Over ``raw``.
        batches: Pictures and their ids.
        triggered: From those two to pictures that depend on ``raw``.
        target: The class.
    """
    for x, index in batches:
        y = torch.full((len(x),), target, device=x.device)
        (raw.grad,) = torch.autograd.grad(losses(surrogate, triggered(x, index), y).mean(), [raw])
        optimizer.step()
