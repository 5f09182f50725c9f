"""Each defense that judges, run on the case: what it says, in words, and how often it errs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet, Verdict
from mbti_core.contracts.given import ErrorRates
from mbti_core.data.choose import stratified_rows
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.engine.config import settings_class
from mbti_core.errors import MbtiError
from mbti_core.judging.case import Asked, Case, settings_of
from mbti_core.plugins.manager import Registered, Registry
from mbti_core.results.alarm import raises_alarm
from mbti_core.stages.defend import fresh_model
from mbti_core.stages.train import hold

Status = Literal["alarm", "quiet", "not run"]


@dataclass(frozen=True)
class Finding:
    """What one defense says.

    Attributes:
        defense: Component id.
        summary: What it looks for.
        status: Whether it raises an alarm, or was not run.
        reason: Why, in words.
        classes: Suspected targets.
        rates: How often it errs on models of this modality; None where no bench was run.
        rows: (n,) positions of the samples that it scored.
        scores: (n,) larger is more suspicious.
        flags: (n,) bool.
        triggers: Reversed triggers by class name, the surest first, each a batch of one in storage form.
        seconds: Wall time.
    """

    defense: str
    summary: str
    status: Status
    reason: str
    classes: tuple[str, ...] = ()
    rates: ErrorRates | None = None
    rows: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    scores: Tensor = field(default_factory=lambda: torch.zeros(0))
    flags: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    triggers: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The defense's name."""
        return self.defense.partition("/")[2]

    @property
    def weight(self) -> float:
        """How many times likelier what it says is of a backdoored model than of a benign one; 1 where nobody knows.

        Half a model of each kind is added to either answer on the bench (Jeffreys), so that it is never certain.
        """
        r = self.rates
        if r is None or self.status == "not run":
            return 1.0
        found, alarms = (r.found + 0.5) / (r.backdoored + 1), (r.alarms + 0.5) / (r.benign + 1)
        return found / alarms if self.status == "alarm" else (1 - found) / (1 - alarms)

    @property
    def known(self) -> str:
        """Say how often it errs."""
        if self.rates is None:
            return "how often it errs on such models was never measured"
        r = self.rates
        return f"on {r.bench}: {r.found} of {r.backdoored} found, {r.alarms} of {r.benign} benign ones suspected"


def look(case: Case, asked: Asked, registry: Registry, hear: Callable[[str], None]) -> Iterator[Finding]:
    """Yield what each defense says.

    Raises:
        UnknownComponentError: If one was asked for that does not exist.
    """
    modality = case.plan.info.modality
    wanted = {registry.find("defense", name, modality).component.id for name in asked.defenses}
    for name in set(asked.settings) - {"model"}:
        registry.find("defense", name, modality)
    rates = {r.defense: r for answer in registry.pm.hook.mbti_error_rates() for r in answer if r.modality == modality}
    for found in registry.components("defense", modality):
        known = found.component
        if wanted and known.id not in wanted:
            continue
        why = _why_not(found, case, asked=known.id in wanted)
        if why:
            yield Finding(known.id, known.summary, "not run", why, rates=rates.get(known.id))
            continue
        hear(known.name)
        yield _run(found, case, asked, rates.get(known.id))


def _why_not(found: Registered, case: Case, *, asked: bool) -> str:
    cls = settings_class(found)
    assert issubclass(cls, Defense)
    if not {"scores", "verdict"} & cls.yields:
        return "no verdict, no scores"
    if "clean" in cls.needs and case.clean is None:
        return "needs clean samples, --clean"
    if "model_factory" in cls.needs and not asked:
        return "trains a model anew, --defense asks for it"
    return ""


def _run(found: Registered, case: Case, asked: Asked, rates: ErrorRates | None) -> Finding:
    known, started = found.component, time.perf_counter()
    defense = settings_of(found, known.name, asked.settings.get(known.name, {}))
    assert isinstance(defense, Defense)
    draws = Draws(asked.seed).stream("defend", known.id)
    rows, suspects = torch.arange(len(case.split)), case.suspects
    if defense.costly and len(rows) > asked.costly_rows:
        rows = stratified_rows(case.split.labels, case.split.index, asked.costly_rows, draws.stream("rows"))
        suspects = hold(case.split, case.subject.model, case.plan.device, rows)
    try:
        with scoped_globals(draws.stream("globals").seed):
            outcome = defense.defend(_view(defense, case, suspects, rows, draws), _context(case, known.id, draws))
    except MbtiError as error:
        return Finding(known.id, known.summary, "not run", error.message, rates=rates)
    took = time.perf_counter() - started
    said = _of_model(outcome.verdict, case) if outcome.verdict else _of_data(outcome, case, rows)
    triggers = {case.classes[target]: x for target, x in outcome.triggers.items()}
    finding = Finding(known.id, known.summary, *said, rates=rates, triggers=triggers, seconds=took)
    if outcome.scores is None:
        return finding
    return replace(finding, rows=rows, scores=outcome.scores.detach().cpu().double(), flags=_flags(outcome))


def _view(defense: Defense, case: Case, suspects: LabelledSet, rows: Tensor, draws: Draws) -> DefenseView:
    return DefenseView(
        subject=case.subject if "model" in defense.needs else None,
        clean=case.clean if "clean" in defense.needs else None,
        suspects=suspects if "suspects" in defense.needs else None,
        features=(lambda: case.features[rows]) if "features" in defense.needs else None,
        inputs=suspects if "inputs" in defense.needs else None,
        model_factory=partial(fresh_model, case.plan, case.subject, case.suspects, draws)
        if "model_factory" in defense.needs
        else None,
    )


def _context(case: Case, name: str, draws: Draws) -> DefenseContext:
    return DefenseContext(case.plan.adapters.asked_by(name), draws, case.plan.device, case.plan.info)


def _flags(outcome: DefenseOutcome) -> Tensor:
    assert outcome.scores is not None
    if outcome.flags is not None:
        return outcome.flags.cpu().bool()
    return outcome.scores.cpu() > float(outcome.threshold or 0.0)


def _of_model(verdict: Verdict, case: Case) -> tuple[Status, str, tuple[str, ...]]:
    suspected = tuple(case.classes[target] for target in verdict.targets)
    limit = f", limit {verdict.limit:.2g}" if verdict.limit is not None else ""
    if not verdict.backdoored:
        return "quiet", f"no class stands out: at most {verdict.score:.2f}{limit}", ()
    scores = [verdict.per_class[target] for target in verdict.targets] if verdict.per_class else [verdict.score]
    told = ", ".join(f"{score:.2f}" for score in scores)
    if not suspected:
        return "alarm", f"the model stands out: {told}{limit}", ()
    many = "class" if len(suspected) == 1 else "classes"
    return "alarm", f"{many} {_named(suspected)}: {told}{limit}", suspected


def _of_data(outcome: DefenseOutcome, case: Case, rows: Tensor) -> tuple[Status, str, tuple[str, ...]]:
    flags = _flags(outcome)
    count, n = int(flags.sum()), len(flags)
    usual = f"{outcome.expected:.1%} are expected" if outcome.expected else "none is expected"
    told = f"{count:,} of {n:,} samples flagged ({count / max(1, n):.1%}); {usual}"
    if not raises_alarm(count, n, outcome.expected, outcome.calibrated_on):
        return "quiet", told, ()
    labels, classes = case.split.labels[rows], len(case.classes)
    hit, held = torch.bincount(labels[flags], minlength=classes), torch.bincount(labels, minlength=classes)
    most = int((hit / held.clamp_min(1)).argmax())
    told += f"; most among those labelled {case.classes[most]!r}, {int(hit[most]):,} of {int(held[most]):,}"
    return "alarm", told, (case.classes[most],)


def _named(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)
