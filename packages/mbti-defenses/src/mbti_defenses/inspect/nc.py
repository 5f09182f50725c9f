"""NC, Neural Cleanse: a class that a small trigger leads to, and unlearning that trigger."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mbti_core.contracts.defense import (
    CleanSet,
    Defense,
    DefenseContext,
    DefenseOutcome,
    DefenseView,
    LabelledSet,
    Need,
    Verdict,
    Yield,
)
from mbti_core.contracts.trigger_space import Family, Params, TriggerSpace
from mbti_core.data.rng import Draws
from mbti_core.data.split import batches
from mbti_core.errors import ConfigError
from mbti_core.training.finetune import config_of
from mbti_core.training.loop import Fit, Step, fit_model
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_core.training.subject import Subject
from mbti_defenses.activity import demand_layers
from mbti_defenses.budget import to_calibrate, to_fit
from mbti_defenses.further import recipe_of
from mbti_defenses.inspect.inversion import Search, invert
from mbti_defenses.inspect.trigger_pruning import Reversed, pruned

Share = Annotated[float, Field(gt=0, lt=1)]
MAD = 1.4826  # makes it the standard deviation of a normal distribution
LEAST = math.log(1.05)  # where sizes are all alike, their spread is that of the search and says nothing
TINY = 1e-9  # a size of none
AT_ONCE = 10  # classes in one batch
ALIKE = 0.9  # of the nearest form's success
ENOUGH = 200  # batches to unlearn a trigger in: a recipe's epochs are a few of them where the budget is small
FEW = 5  # classes, below which a median says nothing of what is usual


class NC(Defense):
    """Search the smallest trigger for each class; a class whose trigger is far smaller than the others' is a target.

    The defender owns the model and a few clean labelled samples. A backdoor is a shortcut to its target from
    everywhere, so that little of an input must change. The triggers of the classes found so are unlearned: the model is
    trained on clean samples, some of them with the trigger and their own labels; or the units that they move are
    pruned.

    Attributes:
        family: Of triggers; see ``mbti_trigger_space``.
        steps: Of the search, at most (on CIFAR-10, classes settle after 68 to 103); each takes ``batches`` batches of
            32 samples.
        batches: See ``steps``.
        lr: Of the search.
        success: Share of samples that a trigger must lead to its class.
        level: Share of benign models of which any class may be flagged, were the logarithms of sizes normal, in (0, 1).
            A class is flagged from the anomaly index, the distance from the median in median deviations, that leaves so
            much beyond it for all classes together: 2.58 with 10.
        ratio: With fewer than 5 classes: how many times smaller than the median of the others a flagged class's is.
        share: Share of the batches that carry a reversed trigger while it is unlearned.
        epochs: Of unlearning; None takes the recipe of the model's family, and as many as make 200 batches.
        mitigation: ``unlearn`` or ``prune``; see ``trigger_pruning.pruned``. Pruning needs no training.

    Shape:
        Clean samples (k, ...) in storage form; one score per class, larger is more suspicious.

    Raises:
        ConfigError: If the clean budget is empty or of one class, or leaves nothing to measure the accuracy on while
            pruning.
        NotSupportedError: If no plugin has such a family of triggers for this modality, or there is nothing to prune.

    Source:
        Wang et al., "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks", IEEE S&P 2019,
        sections 4 and 6; the schedule of the size's weight from the authors' code, patience as in
        BackdoorBench.

    Deviates:
        The classes' own samples do not count for their triggers. The index is that of the sizes' logarithms, and its
        limit grows with the number of classes, where the authors take sizes and 2. Sizes lie around their median as
        factors (of CIFAR-10's, 28 pixels and 4 around 6), so that their own index stays below 2 for a trigger of a
        third of a pixel; and of 10 benign classes, one passes 2 in a fifth of all models. The median deviation counts
        as a factor of 1.05 at least: it is next to nothing where all sizes are alike. With fewer than 5 classes
        the ratio to the median of the others decides (adapted): of two, both are equally far from their median.
        Modalities other than images are adapted by their trigger space; unlearned are the forms of a trigger that an
        input can hold, of soft words the words: the nearest, and all that lead nearly as many samples to the class.
        A trigger is unlearned in whole batches, so that a BatchNorm sees one kind of sample at a time, with the
        family's recipe, in half of them: a fifth, the authors' share of samples, is a few steps where the budget is
        small. Pruning takes the last prunable layer, whatever its kind, and a loss of 10 % of clean accuracy as its
        limit. Without a flagged class the model comes back as it is.

    Example:
        >>> NC().level
        0.05
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"verdict", "model"})

    family: Family = "mask"
    steps: PositiveInt = 150
    batches: PositiveInt = 10
    lr: PositiveFloat = 0.1
    success: Share = 0.98
    level: Share = 0.05
    ratio: PositiveFloat = 1.5
    share: Share = 0.5
    epochs: PositiveInt | None = None
    mitigation: Literal["unlearn", "prune"] = "unlearn"

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return a verdict with a score per class, and the model without the triggers that were found."""
        subject, clean = view.subject, view.clean
        assert subject is not None  # declared in needs, as the next
        assert clean is not None
        data, classes = of_several_classes(to_fit(clean, "NC", "to search triggers with")), ctx.info.num_classes
        if self.mitigation == "prune":  # said before the search, not after
            to_calibrate(clean, "NC", "to measure the accuracy on")
            demand_layers(subject, ctx, "NC")
        space = ctx.adapters.trigger_space(subject.model, ctx.info, ctx.adapters.input_shape(ctx.info), self.family)
        search = Search(steps=self.steps, batches=self.batches, lr=self.lr, success=self.success)
        draws = ctx.draws.stream("invert")
        found = [invert(subject, space, data, c, search, draws) for c in batches(torch.arange(classes), AT_ONCE)]
        sizes = torch.cat([part.size for part in found])
        params = {k: torch.cat([part.params[k] for part in found]) for k in found[0].params}
        scores, limit = self.judged(sizes)
        targets = torch.nonzero(scores > limit).flatten().tolist()
        verdict = Verdict(float(scores.max()), bool(targets), tuple(targets), tuple(scores.tolist()), limit)
        taken = torch.cat([part.steps for part in found])
        notes = {f"size/{c}": float(size) for c, size in enumerate(sizes)}
        notes |= {f"success/{c}": float(s) for c, s in enumerate(torch.cat([part.success for part in found]))}
        rows = min(len(data.index), search.batches * search.batch)
        notes["forwards"] = float(taken.sum()) * rows
        triggers = {
            target: held(space, {name: values[target, 0] for name, values in params.items()}, target, subject, data)
            for target in targets
        }
        notes |= {f"triggers/{target}": float(len(forms)) for target, forms in triggers.items()}
        model, done = self.mended(subject, [form for forms in triggers.values() for form in forms], clean, ctx)
        notes |= done
        shown = {c: [space.shown(subject.model, form.params) for form in forms] for c, forms in triggers.items()}
        return DefenseOutcome(model=model, verdict=verdict, triggers=shown, notes=notes)

    def judged(self, sizes: Tensor) -> tuple[Tensor, float]:
        """Return a score for each size (C,), and the limit above which a class is flagged."""
        if len(sizes) < FEW:
            return contrast(sizes), self.ratio
        limit = NormalDist().inv_cdf(1 - self.level / len(sizes))
        return anomaly(sizes.clamp_min(TINY).log(), LEAST), limit

    def mended(
        self, subject: Subject, triggers: Sequence[Reversed], clean: CleanSet, ctx: DefenseContext
    ) -> tuple[nn.Module, dict[str, float]]:
        """Return a copy that the triggers lead nowhere, and notes on what was done; a mere copy, if there are none."""
        if not triggers:
            return copy.deepcopy(subject.model).eval(), {}
        if self.mitigation == "prune":
            return pruned(subject, triggers, clean, ctx)
        return self.unlearned(subject, [trigger.params for trigger in triggers], clean.fit, ctx), {}

    def unlearned(
        self, subject: Subject, triggers: Sequence[Params], data: LabelledSet, ctx: DefenseContext
    ) -> nn.Module:
        """Return a copy that was trained on clean samples, a share of the batches with one of the triggers."""
        recipe = recipe_of(ctx, self.epochs, None)
        model, draws = copy.deepcopy(subject.model), ctx.draws.stream("unlearn")
        walks = math.ceil(ENOUGH / math.ceil(len(data.index) / recipe.batch_size)) if self.epochs is None else 0
        config = config_of(recipe, max(recipe.epochs, walks), augment=True)
        step = self.with_triggers(subject.with_model(model), triggers, draws, ctx)
        fit_model(Fit(subject.with_model(model), data, config, draws.seed, step=step))
        return model

    def with_triggers(self, subject: Subject, triggers: Sequence[Params], draws: Draws, ctx: DefenseContext) -> Step:
        """Return the training step: the plain one, or, in a share of the batches, that of samples with a trigger."""
        spec = ctx.adapters.input_shape(ctx.info)
        # Of the copy: embeddings that a trigger is mixed of move while it is trained.
        space = ctx.adapters.trigger_space(subject.model, ctx.info, spec, self.family)

        def step(batch: TrainBatch[Any], told: StepContext[Any]) -> Tensor:
            draw = draws.stream("batch", batch.epoch)
            first = batch.index[:1]
            if float(draw.uniform(first)) >= self.share:
                return plain_step(batch, told)
            trigger = triggers[int(draw.stream("which").integers(first, len(triggers)))]
            with torch.no_grad():
                x = subject.encode(told.augment(batch.x, batch.index, batch.epoch))
                lifted = space.apply(space.lift(subject.model, x), trigger)
            with subject.precision():
                logits = space.logits(subject.model, lifted)
            return told.loss(logits, batch.y)

        return step


def held(space: TriggerSpace, params: Params, target: int, subject: Subject, data: LabelledSet) -> list[Reversed]:
    """Return what inputs can hold of a trigger: the nearest, and others that lead nearly as many rows to its class."""
    nearest, *others = (Reversed(space, form, target) for form in space.discrete(params))
    least = ALIKE * nearest.success(subject, data) if others else 0.0
    return [nearest, *(other for other in others if other.success(subject, data) >= least)]


def of_several_classes(data: LabelledSet) -> LabelledSet:
    """Return ``data``, which has a row.

    Raises:
        ConfigError: If all rows are of one class: nothing shows then what a trigger of that class costs.
    """
    first = int(data.y[0])
    if bool((data.y == first).all()):
        raise ConfigError(
            f"NC needs clean samples of at least 2 classes, got {len(data.y)} of class {first} alone.",
            "Raise the defense's 'budget', or take data of more classes.",
        )
    return data


def anomaly(values: Tensor, least: float) -> Tensor:
    """Return (C,): how many median deviations, of ``least`` at least, each value (C,) lies below the median, or 0."""
    middle = median(values)
    deviation = max(MAD * float(median((values - middle).abs())), least)
    return ((middle - values) / deviation).clamp_min(0)


def contrast(sizes: Tensor) -> Tensor:
    """Return (C,): how many times smaller each size (C,) is than the median of the others."""
    others = [median(torch.cat([sizes[:c], sizes[c + 1 :]])) for c in range(len(sizes))]
    return torch.stack(others) / sizes.clamp_min(TINY)


def median(values: Tensor) -> Tensor:
    """Return the median, between the middle two of an even number; torch's own is the lower of them."""
    found: Tensor = values.double().quantile(0.5)
    return found
