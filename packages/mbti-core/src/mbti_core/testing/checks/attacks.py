"""Checks of attacks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, PoisonContext, Role, RowKind
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.stages.poison import poison
from mbti_core.testing.bench import RATIO
from mbti_core.testing.checks.case import Case, Check, expect
from mbti_core.testing.compare import digest, form_problem, rows_of

_BATCH = 24
_CHANGED = 0.9
_ROLES: tuple[Role, ...] = ("train", "test")


def _rows(case: Case) -> tuple[Split[Any], Tensor]:
    """Return the test split and some rows that the attack is meant for and that aren't at its goal yet."""
    split, aim = case.bench.data.parts["test"], case.bench.aim
    meant = case.settings.victims(split.truth, aim) & (case.settings.goal(split.truth, split.index, aim) != split.truth)
    return split, torch.nonzero(meant).flatten()[:_BATCH]


def _trigger(case: Case, role: Role, rows: Tensor, seed: int = 0) -> Any:
    split, bench = case.bench.data.parts["test"], case.bench
    kind = torch.full((len(rows),), int(RowKind.POISONED), dtype=torch.uint8)
    state = bench.state(case.registered, case.settings)
    index, y = split.index[rows], split.truth[rows]
    goal = case.settings.goal(y, index, bench.aim)
    ctx = PoisonContext(index, y, goal, kind, role, bench.aim, Draws(seed), state)
    return case.settings.poison(split.take(rows), ctx)


def pure(case: Case) -> None:
    """``poison`` leaves the batch, the labels and the ids it is given as they are.

    If this fails: copy the batch before writing into it (``y = x.clone()``).
    """
    split, rows = _rows(case)
    state = case.bench.state(case.registered, case.settings)
    for role in _ROLES:
        x, y, index = split.take(rows), split.truth[rows], split.index[rows]
        before = digest(x, case.modality), y.clone(), index.clone(), {k: t.clone() for k, t in state.items()}
        kind = torch.full((len(rows),), int(RowKind.POISONED), dtype=torch.uint8)
        goal = case.settings.goal(y, index, case.bench.aim)
        case.settings.poison(x, PoisonContext(index, y, goal, kind, role, case.bench.aim, Draws(0), state))
        expect(digest(x, case.modality) == before[0], f"the batch was changed in place (role {role})")
        expect(torch.equal(y, before[1]) and torch.equal(index, before[2]), "labels or ids were changed in place")
        expect(all(torch.equal(t, state[k]) for k, t in before[3].items()), "the state was changed in place")


def same_seed_same_result(case: Case) -> None:
    """The same seed gives the same trigger, whatever the state of the global generators, which stay untouched.

    If this fails: draw from ``ctx.draws``; put libraries that draw globally into ``scoped_globals(seed)``.
    """
    _, rows = _rows(case)
    for role in _ROLES:
        found = []
        for seed in (1, 2):
            with scoped_globals(seed):
                before = _globals()
                found.append(digest(_trigger(case, role, rows), case.modality))
                expect(_globals() == before, f"a global generator was used or seeded (role {role})")
        expect(found[0] == found[1], f"two calls with one seed differ (role {role})")


def _globals() -> tuple[Any, ...]:
    numpy_state = np.random.get_state()
    return random.getstate(), str(numpy_state[1].tolist()), numpy_state[2], torch.random.get_rng_state().tolist()  # type: ignore[index]  # the legacy tuple


def order_independent(case: Case) -> None:
    """Batches of 1, of 7 and of all rows, in any order, give each row the same trigger.

    If this fails: key every draw by ``ctx.index``, and compute nothing over the batch (a mean, a maximum).
    """
    _, rows = _rows(case)
    for role in _ROLES:
        whole = rows_of(_trigger(case, role, rows), case.modality)
        for name, batches in _orders(len(rows)):
            got: dict[int, str] = {}
            for at in batches:
                made = rows_of(_trigger(case, role, rows[at]), case.modality)
                got |= dict(zip(at.tolist(), made, strict=True))
            wrong = [i for i, mark in enumerate(whole) if got[i] != mark]
            expect(not wrong, f"{len(wrong)} of {len(rows)} rows differ with {name} (role {role})")


def _orders(n: int) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    everything = torch.arange(n)
    yield "batches of 1", torch.split(everything, 1)
    yield "batches of 7", torch.split(everything, 7)
    yield "the order reversed", (everything.flip(0),)


def keeps_type_shape_range(case: Case) -> None:
    """A triggered batch has the type, number of rows, shape and range of a clean one.

    If this fails: clip to the range of the storage form and cast back to its type.
    """
    split, rows = _rows(case)
    spec = case.bench.data.input
    for role in _ROLES:
        problem = form_problem(split.take(rows), _trigger(case, role, rows), spec)
        expect(not problem, f"{problem} (role {role})")


def changes_the_sample(case: Case) -> None:
    """The trigger changes the sample of nearly every test row (90 %).

    If this fails: the trigger may fall outside the sample, or be rounded away; or ``poison`` ignores role "test".
    """
    split, rows = _rows(case)
    clean, made = rows_of(split.take(rows), case.modality), rows_of(_trigger(case, "test", rows), case.modality)
    share = sum(a != b for a, b in zip(clean, made, strict=True)) / len(rows)
    expect(share >= _CHANGED, f"{share:.0%} of {len(rows)} rows changed")


def respects_ratio_and_target(case: Case) -> None:
    """``choose`` gives the asked number of rows, disjoint from cover rows, and labels follow ``goal``.

    If this fails: return ascending positions from ``choose``, at most n to poison, and classes from ``goal``.
    """
    split, classes = case.bench.data.parts["train"], len(case.bench.data.classes)
    clean_label = "clean_label" in case.component.traits
    state = case.bench.state(case.registered, case.settings)
    for ratio, aim in ((RATIO / 2, Aim(0, classes)), (2 * RATIO, Aim(1, classes))):
        wanted = round(ratio * len(split))
        chosen = case.settings.choose(split, wanted, Draws(0), aim)
        _well_chosen(chosen.poison, chosen.cover, len(split))
        meant = case.settings.victims(split.labels, aim)
        expect(bool(meant[chosen.poison].all()), "rows are poisoned that the attack is not meant for")
        most = min(wanted, int(meant.sum()))
        count = len(chosen.poison)
        expect(count == most or (clean_label and 0 < count < most), f"expected {most} rows to poison, got {count}")
        if count < wanted:
            continue
        made = poison(split, case.settings, aim, ratio, 0, state, clean_label=clean_label).split()
        hit = made.kind == RowKind.POISONED
        expected = split.labels[hit] if clean_label else case.settings.goal(split.truth[hit], split.index[hit], aim)
        expect(torch.equal(made.labels[hit], expected), "the labels of poisoned rows are not what the attacker wants")
        expect(torch.equal(made.labels[~hit], split.labels[~hit]), "labels of rows that aren't poisoned changed")
    for aim in (Aim(classes - 1, classes), Aim((0, classes - 1), classes), Aim("all-to-all", classes)):
        goal = case.settings.goal(torch.arange(classes), torch.arange(classes), aim)
        expect(goal.dtype == torch.int64, f"expected int64 from goal, got {goal.dtype}")
        expect(bool(((goal >= 0) & (goal < classes)).all()), f"goal gives classes that don't exist: {goal.tolist()}")


def _well_chosen(poisoned: Tensor, cover: Tensor, n: int) -> None:
    both = torch.cat([poisoned, cover])
    expect(both.dtype == torch.int64, f"expected int64 positions, got {both.dtype}")
    expect(bool(((both >= 0) & (both < n)).all()), "positions outside the split")
    expect(len(set(both.tolist())) == len(both), "a row is chosen twice")
    ascending = all(bool((part.diff() > 0).all()) for part in (poisoned, cover))
    expect(ascending, "expected ascending positions")


def never_touches_test_labels(case: Case) -> None:
    """The triggered test set keeps its truth and leaves out rows at the goal; the clean test set stays as it is.

    If this fails: leave ``ctx.y`` alone; make ``victims`` and ``goal`` functions of the labels only.
    """
    split, aim = case.bench.data.parts["test"], case.bench.aim
    everything = torch.arange(len(split))
    before = digest(split.take(everything), case.modality), split.truth.clone()
    made = case.bench.triggered(case.registered)
    made.take(torch.arange(len(made)))
    expect(len(made) > 0, "no test row is triggered")
    truth = dict(zip(split.index.tolist(), split.truth.tolist(), strict=True))
    expect(
        [truth[i] for i in made.index.tolist()] == made.truth.tolist(), "true labels of the triggered test set changed"
    )
    expect(
        torch.equal(made.labels, case.settings.goal(made.truth, made.index, aim)),
        "its labels are not the attacker's goal",
    )
    expect(bool((made.labels != made.truth).all()), "it holds rows whose true label is the goal already")
    after = digest(split.take(everything), case.modality), split.truth
    expect(before[0] == after[0] and torch.equal(before[1], after[1]), "the clean test set changed")


def asr_on_toy(case: Case) -> None:
    """A small model trained under the attack (target 0) gives 90 % of the triggered rows the attacker's label.

    Poisoned are 10 % of the rows, or half of those that the attack can poison where that is less.

    If this fails: look at a triggered sample; if the method needs more data or training than the small set of the
    checks allows, say so in ``xfail``.
    """
    asr = case.bench.accuracy(case.bench.victim(case.registered), case.bench.triggered(case.registered))
    expect(asr >= 0.9, f"expected an attack success rate of at least 0.9, got {asr:.3f}")


def clean_drop(case: Case) -> None:
    """The same model loses at most 5 points of accuracy on clean test rows against its benign twin.

    If this fails: fewer rows may be poisoned than it seems, but stronger; or the trigger is part of natural samples.
    """
    test = case.bench.data.parts["test"]
    twin, victim = (case.bench.accuracy(m, test) for m in (case.bench.benign(), case.bench.victim(case.registered)))
    expect(twin - victim <= 0.05, f"expected a drop of at most 0.05, got {twin:.3f} - {victim:.3f}")


CHECKS = (
    Check(pure),
    Check(same_seed_same_result),
    Check(order_independent),
    Check(keeps_type_shape_range),
    Check(changes_the_sample),
    Check(respects_ratio_and_target),
    Check(never_touches_test_labels),
    Check(asr_on_toy, learn=True),
    Check(clean_drop, learn=True),
)
