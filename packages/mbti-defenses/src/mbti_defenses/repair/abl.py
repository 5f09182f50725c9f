"""ABL: training that isolates what is learned too easily, and unlearns it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet, Need, Yield
from mbti_core.contracts.model import Recipe
from mbti_core.data.rng import Draws
from mbti_core.data.split import batches
from mbti_core.errors import ConfigError
from mbti_core.training.finetune import config_of
from mbti_core.training.loop import Fit, fit_model
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_core.training.subject import BATCH, Subject
from mbti_defenses.further import recipe_of

Share = Annotated[float, Field(gt=0, lt=1)]


class ABL(Defense):
    """Train anew: first so that only what is learned easily is learned, then without it, then against it.

    The defender owns the training data with the labels as given, and trains from the start. Poisoned rows are learned
    within the first epochs; a loss that is held near ``gamma`` leaves the others behind. The rows of lowest loss are
    isolated; the model is trained on the rest, and made to forget the isolated ones while it keeps as many others.

    Attributes:
        loss: Of the first epochs: ``flooding`` is abs(l - gamma) + gamma of a batch's mean cross-entropy l; ``lga`` the
            mean of sign(l - gamma) l over the rows' own. Of a batch's mean both have the same gradient.
        gamma: In nats.
        early: Epochs before the isolation; below 1, that share of the rows is seen once. None takes what the recipe of
            the model's family says.
        isolate: Share of the rows that is isolated, rounded down, one at least; of equal losses, those of lower id.
        epochs: On the rest, after the isolation; None takes those of the model under suspicion.
        unlearn: Epochs on the isolated rows, each of them beside one of the rest.
        lr: Base learning rate; None takes the recipe's for the first epochs, a twentieth of it for the ascent, and that
            of the model under suspicion on the rest.

    Shape:
        Suspects (n, ...) in storage form; scores (n,), the negative cross-entropy after the first epochs.

    Raises:
        ConfigError: If there are fewer than 2 rows.

    Source:
        Li et al., "Anti-Backdoor Learning: Training Clean Models on Poisoned Data", NeurIPS 2021, section 3.2,
        equations 2 to 4; settings from the authors' code, ``unlearn`` from BackdoorBench.

    Deviates:
        Optimizer, learning rate and epochs are those of the model's family, and on the rest those that the model under
        suspicion was trained with: the defender trains as everybody does. The first epochs go at a constant rate. The
        last descend on other rows while they ascend on the isolated ones, as equation 4 has it and the authors' code
        has not, in one batch: alone, isolated rows shift the statistics of normalization. They ascend only until their
        loss is twice ln C, that of a model that contradicts: without a bound it grows for ever. Isolation within an
        epoch, for models that are pretrained, is adapted.

    Example:
        >>> ABL().isolate
        0.01
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"suspects", "model_factory"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model", "scores", "keep"})

    loss: Literal["flooding", "lga"] = "flooding"
    gamma: PositiveFloat = 0.5
    early: PositiveFloat | None = None
    isolate: Share = 0.01
    epochs: PositiveInt | None = None
    unlearn: PositiveInt = 20
    lr: PositiveFloat | None = None

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the model trained so, and what was isolated."""
        assert view.suspects is not None  # declared in needs, as the next
        assert view.model_factory is not None
        n, order = len(view.suspects.index), torch.argsort(view.suspects.index.cpu())
        if n < 2:
            raise ConfigError(f"ABL needs at least 2 training rows, got {n}.", "Take more rows.")
        suspects = some(view.suspects, order)  # by id, so that their order decides nothing
        subject, recipe = view.model_factory(), recipe_of(ctx, self.epochs, self.lr)
        early = recipe.early if self.early is None else self.early
        self.learn_easily(subject, suspects, recipe, early, ctx.draws.stream("early"))
        losses = row_losses(subject, suspects)
        isolated = losses.argsort(stable=True)[: max(1, int(self.isolate * n))].sort().values
        rest = torch.ones(n, dtype=torch.bool)
        rest[isolated] = False
        asked = {name: value for name, value in (("epochs", self.epochs), ("lr", self.lr)) if value is not None}
        settled = (ctx.training or config_of(recipe, recipe.epochs, augment=True)).model_copy(update=asked)
        fit_model(Fit(subject, some(suspects, torch.nonzero(rest).flatten()), settled, ctx.draws.stream("rest").seed))
        ascent = replace(recipe, lr=recipe.lr / 20, warmup=0.0, schedule="constant")
        against = config_of(ascent, self.unlearn, augment=False)
        draws = ctx.draws.stream("unlearn")
        forget = Forgetting(suspects, torch.nonzero(rest).flatten(), draws.stream("beside"))
        fit_model(Fit(subject, some(suspects, isolated), against, draws.seed, step=forget))
        notes = {
            "early": early,
            "isolated": len(isolated),
            "epochs": settled.epochs,
            "lr": settled.lr,
            "loss_of_isolated": float(losses[isolated].mean()),
            "loss_of_rest": float(losses[rest].mean()),
            "forwards": (early + 1 + settled.epochs) * n + 2 * self.unlearn * len(isolated),
        }
        back = torch.argsort(order)
        keep = rest[back]
        return DefenseOutcome(
            model=subject.model,
            scores=-losses[back],
            flags=~keep,
            expected=len(isolated) / n,
            keep=keep,
            notes=notes,
        )

    def learn_easily(self, subject: Subject, data: LabelledSet, recipe: Recipe, early: float, draws: Draws) -> None:
        """Train in place for ``early`` epochs with the loss that holds rows back."""
        if early < 1:
            order = draws.stream("rows").permutation(len(data.index))
            data, early = some(data, order[: max(1, round(early * len(order)))]), 1
        config = config_of(replace(recipe, schedule="constant", warmup=0.0), math.ceil(early), augment=False)
        fit_model(Fit(subject, data, config, draws.seed, step=self.held_back))

    def held_back(self, batch: TrainBatch[Any], ctx: StepContext[Any]) -> Tensor:
        """Return the loss of a batch in the first epochs."""
        if self.loss == "flooding":
            return (plain_step(batch, ctx) - self.gamma).abs() + self.gamma
        logits = ctx.forward(batch.x, batch.index, batch.epoch)
        losses = functional.cross_entropy(logits.float(), batch.y, reduction="none")  # (B,)
        return (torch.sign(losses.detach() - self.gamma) * losses).mean()


@dataclass(frozen=True)
class Forgetting:
    """A step that climbs on isolated rows and descends on as many others.

    Attributes:
        suspects: All rows, by ascending id.
        rest: (k,) positions of those that are not isolated.
        draws: Which of them stand beside an isolated row, epoch by epoch.
    """

    suspects: LabelledSet
    rest: Tensor
    draws: Draws

    def __call__(self, batch: TrainBatch[Any], ctx: StepContext[Any]) -> Tensor:
        """Return the loss of the others less that of the batch, which counts no further than twice ln C."""
        isolated, ids = torch.searchsorted(self.suspects.index, batch.index), self.suspects.index
        beside = self.rest[self.draws.stream(batch.epoch).integers(batch.index.cpu(), len(self.rest))].to(ids.device)
        rows, n = torch.cat([isolated, beside]), len(isolated)
        logits = ctx.forward(self.suspects.x.take(rows.cpu()), ids[rows], batch.epoch)
        lost = ctx.loss(logits[:n], batch.y).clamp(max=2 * math.log(logits.shape[1]))
        return ctx.loss(logits[n:], self.suspects.y[beside]) - lost


def row_losses(subject: Subject, data: LabelledSet) -> Tensor:
    """Return (n,) float32 cross-entropy of each row with its label as given, on the CPU."""
    parts = [
        functional.cross_entropy(subject.logits(data.x.take(rows)), data.y[rows], reduction="none").cpu()
        for rows in batches(torch.arange(len(data.index)), BATCH)
    ]
    return torch.cat(parts)


@dataclass(frozen=True)
class _Rows:
    """Some rows of a held set."""

    held: Any
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Tensor) -> Any:
        return self.held.take(self.rows[rows.cpu()])

    def lengths(self) -> Tensor | None:
        lengths: Tensor | None = self.held.lengths()
        return None if lengths is None else lengths[self.rows.to(lengths.device)]


def some(data: LabelledSet, rows: Tensor) -> LabelledSet:
    """Return the rows at positions (k,) as a set of their own."""
    at = rows.to(data.y.device)
    return LabelledSet(_Rows(data.x, rows), data.y[at], data.index[rows.to(data.index.device)])
