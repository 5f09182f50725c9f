"""Pruning of the units that a reversed trigger moves, until it leads nowhere."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.defense import CleanSet, DefenseContext, LabelledSet
from mbti_core.contracts.model import PrunableLayer
from mbti_core.contracts.trigger_space import Params, TriggerSpace
from mbti_core.data.split import batches
from mbti_core.training.pruning import silence
from mbti_core.training.subject import BATCH, Subject
from mbti_defenses.activity import accuracy, activations, demand_layers, last_layers, split_units

LOST = 0.1  # of the clean accuracy, at most: what fine-pruning may lose
GONE = 0.1  # a trigger that leads fewer samples to its class is gone; where chance is less, that counts


@dataclass(frozen=True)
class Reversed:
    """A trigger as it was found.

    Attributes:
        space: Lays it over samples, and runs a model on what comes out.
        params: Of one trigger, without a batch axis.
        target: The class that it leads to.
    """

    space: TriggerSpace
    params: Params
    target: int

    def logits(self, subject: Subject, x: Any) -> Tensor:
        """Return (B, C) float32 logits of a storage-form batch with the trigger; eval mode, no gradients."""
        with subject.evaluating():
            lifted = self.space.lift(subject.model, subject.encode(x))
            return self.space.logits(subject.model, self.space.apply(lifted, self.params)).float()

    def success(self, subject: Subject, data: LabelledSet) -> float:
        """Return the share of other classes' rows that the trigger leads to its class; 0 where there are none."""
        others = torch.nonzero(data.y.cpu() != self.target).flatten()
        led = [self.logits(subject, data.x.take(rows)).argmax(1) == self.target for rows in batches(others, BATCH)]
        return sum(int(part.sum()) for part in led) / max(1, len(others))


def pruned(
    subject: Subject, triggers: Sequence[Reversed], clean: CleanSet, ctx: DefenseContext
) -> tuple[nn.Module, dict[str, float]]:
    """Return a copy without the units of its last prunable layer that the triggers move most, and what was done.

    One trigger after another. Units that it makes more active than samples without it do go in the order of that
    difference, until at most 10 % of other classes' samples, or chance where that is less, reach its class: the
    smallest such number, by bisection, as if success fell from unit to unit. They go at most as long as the clean
    accuracy stays within 10 % of that at the start, whatever success is left.

    Args:
        subject: The model; it stays as it is.
        triggers: Of one class or several.
        clean: Activations and success are measured on ``fit``, accuracy on ``calibrate``.
        ctx: What a defense computes with.

    Returns:
        The copy in eval mode, and by class ``removed/c``, how many units went for it, and ``left/c``, the share of
        samples that the strongest of its triggers still leads to it once all were done.

    Raises:
        NotSupportedError: If the model has no layer whose units can be removed.

    Source: Wang et al., "Neural Cleanse", IEEE S&P 2019, section 6: patching by neuron pruning.
    """
    layers = last_layers(subject, demand_layers(subject, ctx, "NC"), clean.fit)
    least = (1 - LOST) * accuracy(subject, clean.calibrate)
    gone, found = min(GONE, 1 / ctx.info.num_classes), subject.with_model(copy.deepcopy(subject.model).eval())
    notes = {f"removed/{trigger.target}": 0.0 for trigger in triggers}
    for trigger in triggers:
        found, removed = _without(found, trigger, layers, clean, least, gone)
        notes[f"removed/{trigger.target}"] += removed
    for trigger in triggers:
        left = f"left/{trigger.target}"
        notes[left] = max(notes.get(left, 0.0), trigger.success(found, clean.fit))
    return found.model, notes


def _without(
    subject: Subject, trigger: Reversed, layers: Sequence[PrunableLayer], clean: CleanSet, least: float, gone: float
) -> tuple[Subject, int]:
    """Return a copy that a trigger leads nowhere any more, or as little as ``least`` accuracy allows, and what went."""
    with_it = activations(subject, layers, clean.fit, partial(trigger.logits, subject))
    rise = with_it - activations(subject, layers, clean.fit)
    order = (-rise).argsort(stable=True)[: int((rise > 0).sum())]

    def after(count: int) -> Subject:
        other = subject.with_model(copy.deepcopy(subject.model))
        for layer, units in split_units(layers, order[:count]):
            silence(other.model, layer, units)
        return other

    counts = range(1, len(order) + 1)
    most = bisect_left(counts, True, key=lambda count: accuracy(after(count), clean.calibrate) < least)
    removed = bisect_left(range(most), True, key=lambda count: trigger.success(after(count), clean.fit) <= gone)
    return after(removed), removed
