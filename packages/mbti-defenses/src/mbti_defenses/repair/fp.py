"""FP: pruning of units that clean data leave idle, then fine-tuning."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet, Need, Yield
from mbti_core.contracts.model import PrunableLayer
from mbti_core.data.split import batches
from mbti_core.errors import NotSupportedError
from mbti_core.training.finetune import finetune
from mbti_core.training.pruning import Silent, silence
from mbti_core.training.subject import BATCH, Subject
from mbti_defenses.budget import to_calibrate, to_fit
from mbti_defenses.further import recipe_of

Share = Annotated[float, Field(gt=0, lt=1)]


class FP(Defense):
    """Remove the last layer's units that clean samples hardly move, as long as accuracy holds, and fine-tune the rest.

    The defender owns the model's weights and a few clean labelled samples. What answers to the trigger alone is idle on
    clean samples; fine-tuning then undoes what the attacker may have put into the other units.

    Attributes:
        max_drop: Largest loss of clean accuracy by pruning, as a share of the accuracy before, in [0, 1).
        step: Share of the layer's units that a step removes, rounded up.
        epochs: Passes of fine-tuning over the budget; None takes the recipe of the model's family.
        lr: Its base learning rate; None takes the recipe's.

    Shape:
        Any model with prunable layers; the last of them is pruned.

    Raises:
        ConfigError: If the clean budget is empty, or leaves nothing to measure the accuracy on.
        NotSupportedError: If the model has no layer whose units can be removed.

    Source:
        Liu, Dolan-Gavitt, Garg, "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks", RAID
        2018, section 4; the relative limit of 10 % and steps of 1 % as in BackdoorBench.

    Deviates:
        A unit's activation is the mean positive part of what its layer, behind its BatchNorm, gives out: the function
        that follows is not known here, and a ReLU lets through just that. Of recurrent units and attention heads it is
        the mean magnitude. Padding that a model does not mask inside counts with the rest. The last step that loses no
        more is found by bisection, in 7 measurements in place of 100: the same step as long as accuracy falls from step
        to step. Accuracy is measured on samples disjoint from those that activations and fine-tuning use, and never on
        test data.

    Example:
        >>> FP().max_drop
        0.1
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model"})

    max_drop: Annotated[float, Field(ge=0, lt=1)] = 0.1
    step: Share = 0.01
    epochs: PositiveInt | None = None
    lr: PositiveFloat | None = None

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the pruned and fine-tuned copy; what was removed stays zero."""
        subject, clean = view.subject, view.clean
        assert subject is not None  # declared in needs, as the next
        assert clean is not None
        data = to_fit(clean, "FP", "to train on")
        held_out = to_calibrate(clean, "FP", "to measure the accuracy on")
        layers = ctx.adapters.prunable_layers(subject.model, ctx.info)
        if not layers:
            raise NotSupportedError(
                f"FP needs layers whose units can be removed, and {ctx.info.arch} has none.", "Choose another model."
            )
        last = last_layers(subject, layers, data)
        order = activations(subject, last, data).argsort(stable=True)
        removed, tried = self.prune(subject, last, order, held_out)
        recipe = recipe_of(ctx, self.epochs, self.lr)
        silent = split_units(last, order[:removed])
        model = finetune(subject, data, recipe, epochs=recipe.epochs, draws=ctx.draws.stream("finetune"), silent=silent)
        notes = {
            "rows": len(data.index),
            "measured_on": len(held_out.index),
            "units": len(order),
            "removed": removed,
            "epochs": recipe.epochs,
            "lr": recipe.lr,
            "forwards": (1 + recipe.epochs) * len(data.index) + (1 + tried) * len(held_out.index),
        }
        return DefenseOutcome(model=model, notes=notes)

    def prune(
        self, subject: Subject, layers: Sequence[PrunableLayer], order: Tensor, held_out: LabelledSet
    ) -> tuple[int, int]:
        """Return how many units, in ``order``, can go without too large a loss, and how many masks were tried."""
        before, size = accuracy(subject, held_out), math.ceil(self.step * len(order))
        fits, fails, tried = 0, -(-len(order) // size), 0  # in steps; all units at once never fit
        while fails - fits > 1:
            middle, tried = (fits + fails) // 2, tried + 1
            pruned = subject.with_model(copy.deepcopy(subject.model))
            for layer, units in split_units(layers, order[: middle * size]):
                silence(pruned.model, layer, units)
            if before - accuracy(pruned, held_out) > self.max_drop * before:
                fails = middle
            else:
                fits = middle
        return fits * size, tried


def accuracy(subject: Subject, data: LabelledSet) -> float:
    """Return the share of rows that the model gives their label."""
    return float((subject.predict(data.x) == data.y.cpu()).double().mean())


def last_layers(subject: Subject, layers: Sequence[PrunableLayer], data: LabelledSet) -> Sequence[PrunableLayer]:
    """Return the last layer: of a module that keeps several, such as directions, those that its output is made of."""
    module = layers[-1].module
    width = caught(subject, layers[-1], data, torch.arange(1)).shape[1]
    same, chosen = [layer for layer in layers if layer.module == module], 0
    units = 0
    while units * layers[-1].block < width and chosen < len(same):
        chosen += 1
        units += same[-chosen].units
    return same[-chosen:]


def activations(subject: Subject, layers: Sequence[PrunableLayer], data: LabelledSet) -> Tensor:
    """Return (units,) float64 mean activations over rows and positions, of all layers one after another."""
    total, count = torch.zeros(sum(layer.units for layer in layers), dtype=torch.float64), 0
    for rows in batches(torch.arange(len(data.index)), BATCH):
        found = caught(subject, layers[0], data, rows)  # (positions, units * block)
        total += found.view(len(found), len(total), -1).mean(2).sum(0)
        count += len(found)
    return total / max(1, count)


def caught(subject: Subject, layer: PrunableLayer, data: LabelledSet, rows: Tensor) -> Tensor:
    """Return (positions, width) float64: how active what carries the layer's units is, at each place of each row."""
    seen: list[Tensor] = []
    with _listening(subject.model, layer, seen):
        subject.logits(data.x.take(rows))
    return torch.cat(seen)


@contextmanager
def _listening(model: nn.Module, layer: PrunableLayer, seen: list[Tensor]) -> Iterator[None]:
    """Collect what carries a layer's units: a BatchNorm's or the layer's own output, or, of heads, its input."""
    spatial = next(model.get_submodule(layer.module).parameters()).dim() > 2

    def listen(module: nn.Module, inputs: Any, output: Any) -> None:
        del module
        plain = isinstance(output, Tensor)
        found = inputs[0] if layer.block > 1 else output if plain else output[0]
        found = (found if isinstance(found, Tensor) else found.data).double().cpu()  # a packed sequence has data
        found = found.movedim(1, -1) if spatial else found
        signed = plain and layer.block == 1
        seen.append((found.clamp_min(0) if signed else found.abs()).flatten(0, -2))

    handle = model.get_submodule(layer.norm or layer.module).register_forward_hook(listen)
    try:
        yield
    finally:
        handle.remove()


def split_units(layers: Sequence[PrunableLayer], units: Tensor) -> list[Silent]:
    """Return each layer with its own units, of those (n,) counted through all layers."""
    found, first = [], 0
    for layer in layers:
        inside = units[(units >= first) & (units < first + layer.units)] - first
        found.append((layer, inside))
        first += layer.units
    return found
