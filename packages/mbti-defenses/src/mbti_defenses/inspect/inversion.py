"""Inversion: the smallest trigger that leads to each class, of all classes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.trigger_space import TriggerSpace
from mbti_core.data.rng import Draws
from mbti_core.data.split import batches
from mbti_core.training.subject import Subject

_BETAS = (0.5, 0.9)
_DOWN = 1.5  # the weight of the size falls by a higher power of the factor than it rises by


@dataclass(frozen=True)
class Search:
    """How a trigger is searched.

    Attributes:
        steps: At most; the weight of the size changes between them.
        batches: In a step, at most.
        batch: Rows of a batch.
        lr: Of Adam, betas 0.5 and 0.9.
        success: Share of rows that a trigger has to lead to its class.
        patience: Steps in a row above or below ``success`` before the weight of the size changes.
        cost: That weight at the start.
        factor: By which it rises; it falls by ``factor ** 1.5``.
        settled: A class is done after ``settle`` steps whose best size stayed above this share of the one before.
        settle: See ``settled``.
    """

    steps: int = 150
    batches: int = 10
    batch: int = 32
    lr: float = 0.1
    success: float = 0.98
    patience: int = 5
    cost: float = 1e-3
    factor: float = 2.0
    settled: float = 0.99
    settle: int = 25


@dataclass(frozen=True)
class Triggers:
    """The smallest trigger found for each class.

    Attributes:
        params: Stacked (K, 1, ...) parameters of the trigger space.
        size: (K,) float64; where none succeeded, that of the last one.
        success: (K,) float64 share of rows that it leads to its class, in the step that it was found in.
        steps: (K,) int64, how many were taken.
    """

    params: dict[str, Tensor]
    size: Tensor
    success: Tensor
    steps: Tensor


class _Weights:
    """The weight of the size of each trigger, and when to stop: the schedule of the authors' code, class by class."""

    def __init__(self, count: int, search: Search) -> None:
        self.search = search
        self.weight = torch.full((count,), search.cost, dtype=torch.float64)
        self.above, self.below, self.still = (torch.zeros(count, dtype=torch.int64) for _ in range(3))
        self.rose, self.fell = (torch.zeros(count, dtype=torch.bool) for _ in range(2))
        self.best, self.mark = (torch.full((count,), torch.inf, dtype=torch.float64) for _ in range(2))

    def update(self, at: Tensor, success: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Take in a step of the classes ``at`` (A,); return (A,) which have a new best trigger and which are done."""
        search, good = self.search, success >= self.search.success
        better = good & (size < self.best[at])
        self.best[at] = torch.where(better, size, self.best[at])
        best = self.best[at]
        known = best.isfinite()
        stuck = known & (best >= search.settled * self.mark[at])
        self.still[at] = torch.where(stuck, self.still[at] + 1, 0)
        self.mark[at] = torch.minimum(best, self.mark[at])
        done = (self.still[at] >= search.settle) & self.rose[at] & self.fell[at]
        self.above[at] = torch.where(good, self.above[at] + 1, 0)
        self.below[at] = torch.where(good, 0, self.below[at] + 1)
        rise, fall = self.above[at] >= search.patience, self.below[at] >= search.patience
        self.weight[at] *= torch.where(rise, search.factor, torch.where(fall, search.factor**-_DOWN, 1.0))
        self.above[at[rise]], self.below[at[fall]] = 0, 0
        self.rose[at] |= rise
        self.fell[at] |= fall
        return better, done


def invert(
    subject: Subject, space: TriggerSpace, data: LabelledSet, classes: Tensor, search: Search, draws: Draws
) -> Triggers:
    """Search a trigger for each of some classes: minimize cross-entropy with the class plus weight times size.

    Rows of a class itself do not count for its trigger. The classes are in one batch; losses are summed over them, so
    that Adam, which works by element, takes the steps that it would take for each alone. Classes that are done leave,
    with their optimizer state. The model's weights need no gradient.

    Args:
        subject: The model; it stays as it is. Its precision is used, with triggers in float32.
        space: Of the model.
        data: Clean rows with labels, at least one of another class for each class.
        classes: (K,) int64.
        search: Settings.
        draws: Keyed randomness: starts by class, rows by step.
    """
    count = len(classes)
    starts = [space.initial(draws.stream("start", c)) for c in classes.tolist()]
    active = torch.arange(count)
    params = {k: torch.stack([start[k] for start in starts])[:, None].detach().clone() for k in starts[0]}
    found = {k: v.clone() for k, v in params.items()}
    success, taken = torch.zeros(count, dtype=torch.float64), torch.zeros(count, dtype=torch.int64)
    weights, last = _Weights(count, search), torch.zeros(count, dtype=torch.float64)
    optimizer: torch.optim.Optimizer = _adam(params, search)
    with _frozen(subject.model):
        for step in range(search.steps):
            rows = draws.stream("rows", step).permutation(len(data.index))[: search.batches * search.batch]
            cost = weights.weight[active]
            share, size = _step(subject, space, data, rows, classes[active], cost, params, optimizer, search.batch)
            last[active], taken[active] = size, step + 1
            never = ~weights.best[active].isfinite()
            better, done = weights.update(active, share, size)
            keep = better | never
            for name, values in params.items():
                found[name][active[keep]] = values.detach()[keep]
            success[active[keep]] = share[keep]
            if bool(done.any()):
                params, optimizer = _without(params, optimizer, ~done, search)
                active = active[~done]
            if not len(active):
                break
    size = torch.where(weights.best.isfinite(), weights.best, last)
    return Triggers(found, size, success, taken)


def _step(
    subject: Subject,
    space: TriggerSpace,
    data: LabelledSet,
    rows: Tensor,
    goal: Tensor,
    cost: Tensor,
    params: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    batch: int,
) -> tuple[Tensor, Tensor]:
    """Walk the rows once; return (A,) float64 shares that reached the class, and mean sizes before each move."""
    device = subject.device
    goal, cost = goal.to(device), cost.float().to(device)
    hits, count, sizes = (torch.zeros(len(goal), dtype=torch.float64) for _ in range(3))
    parts = list(batches(rows, batch))
    for part in parts:
        with torch.no_grad():
            lifted = space.lift(subject.model, subject.encode(data.x.take(part)))
        others = data.y[part.to(data.y.device)].to(device)[None] != goal[:, None]  # (A, B)
        with subject.precision():
            logits = space.logits(subject.model, space.apply(lifted, params)).float()  # (A, B, C)
        wanted = goal[:, None].expand(others.shape)
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(others)
        size = space.size(params).flatten()
        total = (loss * others).sum(1) / others.sum(1).clamp_min(1) + cost * size
        optimizer.zero_grad(set_to_none=True)
        total.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        hits += ((logits.detach().argmax(2) == goal[:, None]) & others).sum(1).cpu()
        count += others.sum(1).cpu()
        sizes += size.detach().double().cpu()
    return hits / count.clamp_min(1), sizes / len(parts)


def _adam(params: dict[str, Tensor], search: Search) -> torch.optim.Adam:
    for values in params.values():
        values.requires_grad_()
    return torch.optim.Adam(params.values(), search.lr, _BETAS)


def _without(
    params: dict[str, Tensor], optimizer: torch.optim.Optimizer, keep: Tensor, search: Search
) -> tuple[dict[str, Tensor], torch.optim.Optimizer]:
    """Return the parameters of the classes that go on, and an optimizer that remembers what it knew of them."""
    fewer = {name: values.detach()[keep].clone() for name, values in params.items()}
    other = _adam(fewer, search)
    for old, new in zip(params.values(), fewer.values(), strict=True):
        state = optimizer.state[old]
        other.state[new] = {k: v[keep].clone() if v.dim() else v.clone() for k, v in state.items()}
    return fewer, other


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode without gradients of its weights, and put it back after."""
    modes = [(module, module.training) for module in model.modules()]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    for parameter in trained:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad = True
        for module, training in modes:
            module.training = training
