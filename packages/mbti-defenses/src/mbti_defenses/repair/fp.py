"""FP: pruning of units that clean data leave idle, then fine-tuning."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet, Need, Yield
from mbti_core.contracts.model import PrunableLayer
from mbti_core.training.finetune import finetune
from mbti_core.training.pruning import silence
from mbti_core.training.subject import Subject
from mbti_defenses.activity import accuracy, activations, demand_layers, last_layers, split_units
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
        last = last_layers(subject, demand_layers(subject, ctx, "FP"), data)
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
