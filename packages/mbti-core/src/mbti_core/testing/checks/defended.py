"""A defense that is run as the runner runs it, on a small model with a backdoor, with what is needed to judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet
from mbti_core.data.rng import scoped_globals
from mbti_core.engine.config import DefenseOptions
from mbti_core.errors import NotSupportedError
from mbti_core.stages.defend import Scene, defend
from mbti_core.testing.bench import NotApplicableError
from mbti_core.testing.checks.case import Case

OPTIONS = DefenseOptions(max_inputs=200)


@dataclass
class _Witness:
    """Stands in for a defense, to see what the stage hands over."""

    defense: Defense
    seen: list[tuple[DefenseView, DefenseContext]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.defense, name)

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        self.seen.append((view, ctx))
        return DefenseOutcome()


@dataclass(frozen=True)
class Run:
    """A defense that was run: what it was handed, what it gave, and the model's state before."""

    view: DefenseView
    ctx: DefenseContext
    outcome: DefenseOutcome
    weights: Mapping[str, Tensor]
    modes: Mapping[str, bool]
    hooks: int


def scene(case: Case) -> Scene:
    """Return the modality's smallest model under its plainest attack, with all that the runner knows of it."""
    bench, attack = case.bench, case.bench.reference_attack
    tests = {"clean": bench.data.parts["test"], "triggered": bench.triggered(attack)}
    reserve = bench.data.parts["reserve"]
    return Scene(bench.smallest, bench.victim(attack), bench.poisoned(attack), reserve, tests)


def view_of(case: Case) -> tuple[DefenseView, DefenseContext]:
    """Return what the defend stage would hand over; the model in it is a new one each time."""
    witness: Any = _Witness(case.settings, [])
    defend(scene(case), case.component.id, witness, OPTIONS, 0)
    view, ctx = witness.seen[0]
    return view, ctx


def ask(case: Case, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
    """Run the defense, fenced as in the stage.

    Raises:
        NotApplicableError: If the method cannot work on this modality.
    """
    try:
        with scoped_globals(ctx.draws.stream("globals").seed):
            outcome: DefenseOutcome = case.settings.defend(view, ctx)
    except NotSupportedError as error:
        raise NotApplicableError(error.message) from error
    return outcome


def run_of(case: Case) -> Run:
    """Return the defense's run, made once for all checks."""
    return case.bench.once(f"defense {case.component.id}", lambda: _fresh_run(case))


def _fresh_run(case: Case) -> Run:
    view, ctx = view_of(case)
    model = view.subject.model if view.subject else nn.Module()
    weights = {name: t.clone() for name, t in model.state_dict().items()}
    modes, hooks = modes_of(model), hooks_on(model)
    return Run(view, ctx, ask(case, view, ctx), weights, modes, hooks)


def modes_of(model: nn.Module) -> dict[str, bool]:
    """Return whether each module is in train mode, by name."""
    return {name: m.training for name, m in model.named_modules()}


def hooks_on(model: nn.Module) -> int:
    """Return how many forward hooks are on a model."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def suspects_of(view: DefenseView) -> LabelledSet:
    """Return the rows that are scored."""
    found = view.suspects or view.inputs
    if found is None:
        raise NotApplicableError("it sees no suspects")
    return found
