"""Let a defense look at exactly what it declared, and keep what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.attack import RowKind
from mbti_core.contracts.defense import (
    CleanSet,
    Defense,
    DefenseContext,
    DefenseOutcome,
    DefenseView,
    LabelledSet,
)
from mbti_core.contracts.modality import Modality
from mbti_core.contracts.model import StartsFromSamples
from mbti_core.data.artifacts import (
    TrainedModel,
    load_array,
    load_json,
    load_tensors,
    save_array,
    save_json,
    save_tensors,
)
from mbti_core.data.choose import rows_per_class, stratified_rows
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split, batches
from mbti_core.engine.config import DefenseOptions, TrainConfig
from mbti_core.errors import ConfigError, NotSupportedError
from mbti_core.stages.represent import represent
from mbti_core.stages.train import ModelPlan, hold, look_at, train
from mbti_core.training.answers import check_answers
from mbti_core.training.subject import Subject

_OF_SUSPECTS = {"suspects", "features", "inputs", "model_factory"}
_ARRAYS = ("scores", "flags", "rows", "weights", "clean_prediction", "triggered_prediction")


@dataclass(frozen=True)
class DefenseResult:
    """What a defense gave, as it is stored.

    Attributes:
        facts: Threshold, verdict, notes, clean samples used; ``unsupported`` with the reason where the method cannot
            work.
        arrays: ``scores``, ``flags`` (n,), ``rows`` (positions in the suspects), ``weights`` (inverse drawing shares);
            predictions on the test sets behind a ``filter``.
        model: Weights of a repaired model; empty if it repairs none.
        triggers: Reversed triggers in storage form, one sample for each entry of ``facts["triggers"]``, a class; kept
            in the folder ``triggers``, and not read back with the rest.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, Tensor]
    model: Mapping[str, Tensor]
    triggers: Sequence[Any] = ()

    def save(self, folder: Path, modality: Modality[Any]) -> None:
        """Write facts, arrays, the repaired weights and the triggers, which are samples of ``modality``."""
        save_json(folder / "outcome.json", dict(self.facts))
        for name, values in self.arrays.items():
            save_array(folder, name, values)
        if self.model:
            save_tensors(folder / "weights.safetensors", self.model)
        if self.triggers:
            (folder / "triggers").mkdir()
            modality.write(self.triggers, folder / "triggers", len(self.triggers))

    @classmethod
    def load(cls, folder: Path) -> DefenseResult:
        """Read what ``save`` wrote."""
        arrays = {name: load_array(folder, name) for name in _ARRAYS if (folder / f"{name}.npy").is_file()}
        return cls(load_json(folder / "outcome.json"), arrays, load_tensors(folder / "weights.safetensors"))


@dataclass(frozen=True)
class Scene:
    """What the runner knows of the case; a defense sees only what it declared of it.

    ``features`` gives those of all suspects where a stage before computed them; None computes them here.
    """

    plan: ModelPlan
    model: TrainedModel
    suspects: Split[Any]
    reserve: Split[Any]
    tests: Mapping[str, Split[Any]]
    training: TrainConfig | None = None
    features: Callable[[], Tensor] | None = None


def defend(scene: Scene, name: str, defense: Defense, options: DefenseOptions, seed: int) -> DefenseResult:
    """Return what the defense gives; a method that cannot work on this model is a recorded answer, not a failure.

    Raises:
        ConfigError: If the clean budget holds no row or more than the reserve, the model gives no logits, or the
            defense gives numbers that are not finite.
    """
    draws, device = Draws(seed).stream("defend", name), scene.plan.device
    subject = scene.plan.load(scene.model.weights)
    check_answers(subject, scene.suspects)
    clean = _clean(scene, options, draws.stream("clean"), subject) if "clean" in defense.needs else None
    most = options.max_inputs if defense.costly and not options.retrain else None
    rows, weights = _scored_rows(scene.suspects, most, draws.stream("rows"))
    suspects = hold(scene.suspects, subject.model, device, rows) if _OF_SUSPECTS & defense.needs else None
    view = _view(scene, defense, subject, clean, suspects, rows, draws)
    ctx = DefenseContext(scene.plan.adapters.asked_by(name), draws, device, scene.plan.info, scene.training)
    used = len(clean.fit.y) + len(clean.calibrate.y) if clean else 0
    try:
        with scoped_globals(draws.stream("globals").seed):
            outcome = defense.defend(view, ctx)
        _check_finite(outcome, name)
        if options.retrain:
            outcome = replace(outcome, model=_retrained(outcome, scene, name, draws.stream("retrain").seed))
    except NotSupportedError as error:
        return DefenseResult({"unsupported": error.message, "budget": used}, {}, {})
    return _result(outcome, scene, subject, rows, weights, used)


def _view(
    scene: Scene,
    defense: Defense,
    subject: Subject,
    clean: CleanSet | None,
    suspects: LabelledSet | None,
    rows: Tensor,
    draws: Draws,
) -> DefenseView:
    needs, features, factory = defense.needs, None, None
    if suspects is not None:
        features = _features(scene, subject, suspects, rows)
        factory = partial(fresh_model, scene.plan, subject, suspects, draws)
    return DefenseView(
        subject=subject if "model" in needs else None,
        clean=clean,
        suspects=suspects if "suspects" in needs else None,
        features=features if "features" in needs else None,
        inputs=suspects if "inputs" in needs else None,
        model_factory=factory if "model_factory" in needs else None,
    )


def _features(scene: Scene, subject: Subject, suspects: LabelledSet, rows: Tensor) -> Callable[[], Tensor]:
    known = scene.features
    return partial(represent, subject, suspects) if known is None else lambda: known()[rows]


def _retrained(outcome: DefenseOutcome, scene: Scene, name: str, seed: int) -> nn.Module:
    """Return a fresh model that was trained on the rows that are kept, as the model under suspicion was on all.

    What that one's attacker did to its training is left out: the defender trains alone.
    """
    if outcome.keep is None:
        raise ConfigError(f"{name} keeps no rows to train on.", "Leave 'retrain' out.")
    if scene.training is None:
        raise ConfigError(
            f"{name}: nobody knows how the model under suspicion was trained.",
            "Leave 'retrain' out, or train the victim in this run: leave out model.weights.",
        )
    kept = torch.nonzero(outcome.keep.cpu()).flatten()
    if not len(kept):
        raise NotSupportedError(f"{name} keeps none of {len(scene.suspects)} rows: there is nothing to train on.")
    trained = train(scene.plan, scene.suspects.subset(kept), scene.training, seed, None, None, _unheard)
    return scene.plan.load(trained.weights).model


def _unheard(done: int, total: int, loss: float) -> None:
    """Take in the progress of a training whose stage tells of none."""


def _check_finite(outcome: DefenseOutcome, name: str) -> None:
    """Refuse numbers that nothing can be compared with; a model that diverged while it was repaired gives such."""
    found = {note: torch.tensor(float(value)) for note, value in outcome.notes.items()}
    if outcome.scores is not None:
        found |= {"scores": outcome.scores, "threshold": torch.tensor(float(outcome.threshold or 0.0))}
    if outcome.verdict is not None:
        found |= {"verdict": torch.tensor([outcome.verdict.score, *outcome.verdict.per_class])}
    for what, values in found.items():
        bad = int((~values.isfinite()).sum())
        if bad:
            raise ConfigError(
                f"{name}: expected finite numbers, got NaN or infinity in {bad} of {values.numel()} of its {what}.",
                "What it trained diverged, or the model under suspicion did: lower the learning rate of that one.",
            )


def fresh_model(plan: ModelPlan, subject: Subject, data: LabelledSet, draws: Draws) -> Subject:
    """Return an untrained model, ready to be trained on ``data``.

    It encodes samples as the subject does: what the defense holds is encoded so.
    """
    fresh = plan.fresh(draws.stream("model").seed)
    if isinstance(fresh.model, StartsFromSamples):
        fresh.model.start_from_model(subject.model)
    look_at(fresh, data, draws)
    return fresh


def _result(
    outcome: DefenseOutcome, scene: Scene, subject: Subject, rows: Tensor, weights: Tensor, used: int
) -> DefenseResult:
    arrays: dict[str, Tensor] = {}
    if outcome.scores is not None:
        scores = outcome.scores.detach().cpu().double()
        flags = outcome.flags if outcome.flags is not None else scores > float(outcome.threshold or 0.0)
        arrays = {"scores": scores, "flags": flags.cpu().bool(), "rows": rows, "weights": weights}
    if outcome.filter is not None:
        judge = subject.with_model(outcome.model) if outcome.model is not None else subject
        for part, split in scene.tests.items():
            held = hold(split, subject.model, scene.plan.device)
            found = [
                judge.logits(outcome.filter(held.x.take(batch))).argmax(1).cpu()
                for batch in batches(torch.arange(len(split)), 256)
            ]
            arrays[f"{part}_prediction"] = torch.cat(found) if found else torch.zeros(0, dtype=torch.int64)
    facts = {
        "threshold": outcome.threshold,
        "expected": outcome.expected,
        "calibrated_on": outcome.calibrated_on,
        "verdict": asdict(outcome.verdict) if outcome.verdict else None,
        "notes": {k: float(v) for k, v in outcome.notes.items()},
        "budget": used,
        "triggers": [target for target, found in outcome.triggers.items() for _ in found],
    }
    repaired = outcome.model.state_dict() if outcome.model is not None else {}
    return DefenseResult(facts, arrays, repaired, [*chain.from_iterable(outcome.triggers.values())])


def _clean(scene: Scene, options: DefenseOptions, draws: Draws, subject: Subject) -> CleanSet:
    """Draw the budget for fitting from the reserve, and as much again, or what is left, for calibration."""
    reserve = scene.reserve
    if options.per_class is None:
        wanted = round(options.budget * len(scene.suspects))
        _check_budget(options.budget, wanted, len(reserve), len(scene.suspects))
        choose = partial(stratified_rows, n=wanted)
    else:
        _check_per_class(options.per_class, torch.bincount(reserve.truth, minlength=scene.plan.info.num_classes))
        choose = partial(rows_per_class, n=options.per_class)
    fit = choose(reserve.truth, reserve.index, draws=draws.stream("fit"))
    left = torch.ones(len(reserve), dtype=torch.bool)
    left[fit] = False
    rest = torch.nonzero(left).flatten()
    calibrate = rest[choose(reserve.truth[rest], reserve.index[rest], draws=draws.stream("calibrate"))]
    return CleanSet(*(hold(reserve, subject.model, scene.plan.device, part) for part in (fit, calibrate)))


def _check_per_class(wanted: int, held: Tensor) -> None:
    least = int(held.argmin())
    if int(held[least]) < wanted:
        raise ConfigError(
            f"defenses.per_class: expected at most {int(held[least])} (so many rows of class {least} are in the "
            f"reserve), got {wanted}.",
            "Lower per_class, or raise dataset.reserve.",
        )


def _check_budget(budget: float, wanted: int, reserve: int, training: int) -> None:
    if not reserve:
        raise ConfigError("The defender has no clean rows: the reserve is empty.", "Raise dataset.reserve above 0.")
    if wanted < 1:
        raise ConfigError(
            f"defenses.budget: expected a share that gives at least 1 clean row, got {budget:g} of {training} rows.",
            f"Set budget to {1 / max(1, training):.3g} or more.",
        )
    if wanted > reserve:
        most = reserve / max(1, training)
        raise ConfigError(
            f"defenses.budget: expected at most {most:.3g} (the reserve holds {reserve} rows, "
            f"the training split {training}), got {budget:g} ({wanted} rows).",
            f"Set budget to {most:.3g} or less, or raise dataset.reserve.",
        )


def _scored_rows(split: Split[Any], most: int | None, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return the rows to score and their inverse drawing shares; a quarter are poisoned, where there are as many."""
    n = len(split)
    if most is None or n <= most:
        return torch.arange(n), torch.ones(n, dtype=torch.float64)
    order = torch.argsort(draws.bits(split.index), stable=True)
    rows, weights = [], []
    poisoned = int((split.kind == RowKind.POISONED).sum())
    quota = {RowKind.POISONED: min(poisoned, max(most // 4, most * poisoned // n))}
    cover = int((split.kind == RowKind.COVER).sum())
    quota[RowKind.COVER] = min(cover, most * cover // n)
    quota[RowKind.CLEAN] = most - sum(quota.values())
    for kind, count in quota.items():
        members = order[split.kind[order] == kind]
        drawn = members[:count]
        rows.append(drawn)
        weights.append(torch.full((len(drawn),), len(members) / max(1, len(drawn)), dtype=torch.float64))
    chosen = torch.cat(rows)
    by_row = torch.argsort(chosen)
    return chosen[by_row], torch.cat(weights)[by_row]
