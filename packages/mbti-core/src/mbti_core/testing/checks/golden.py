"""Golden numbers: what a component gives on small data, recorded so that results change only with the version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbti_core.contracts.attack import PoisonContext, RowKind
from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_core.stages.train import hold
from mbti_core.testing.checks.case import Case, expect
from mbti_core.testing.checks.datasets import fixture_of
from mbti_core.testing.checks.noises import applied
from mbti_core.testing.compare import alike, fingerprint

_ROWS = torch.arange(16)


def _dataset(case: Case) -> Any:
    with fixture_of(case) as root:
        records = case.settings.load("test", root)
        return records.read(np.arange(min(len(_ROWS), len(records.y))))


def _attack(case: Case) -> Any:
    split = case.bench.data.parts["test"]
    kind = torch.full((len(_ROWS),), int(RowKind.POISONED), dtype=torch.uint8)
    state = case.bench.state(case.registered, case.settings)
    index, y = split.index[_ROWS], split.truth[_ROWS]
    goal = case.settings.goal(y, index, case.bench.aim)
    ctx = PoisonContext(index, y, goal, kind, "train", case.bench.aim, Draws(0), state)
    return case.settings.poison(split.take(_ROWS), ctx)


def _noise(case: Case) -> Any:
    split = case.bench.data.parts["train"]
    ctx = NoiseContext(split.index[_ROWS], split.truth[_ROWS], len(case.bench.data.classes), Draws(0))
    return applied(case.settings, split.labels[_ROWS] if case.settings.on == "y" else split.take(_ROWS), ctx)


def _model(case: Case) -> Any:
    subject = case.bench.fresh(case.registered, 0)
    held = hold(case.bench.data.parts["test"], subject.model, subject.device, _ROWS).x
    return subject.logits(held.take(torch.arange(len(_ROWS))))


_MAKERS = {"dataset": _dataset, "attack": _attack, "noise": _noise, "model": _model}
_TRAINED = {"learned", "trains_trigger"}


def applies(case: Case) -> bool:
    """Tell whether a component has golden numbers: what training or a search decides differs between machines."""
    return case.component.kind in _MAKERS and not _TRAINED & case.component.traits


def name_of(case: Case) -> str:
    """Return what a component is called in the file."""
    return f"{case.component.kind} {case.component.id}"


def record(case: Case) -> dict[str, Any]:
    """Return a component's version and fingerprint."""
    return {"version": case.component.version, "fingerprint": fingerprint(_MAKERS[case.component.kind](case))}


def against(file: Path) -> Callable[[Case], None]:
    """Return the check that compares with a file of records."""

    def golden(case: Case) -> None:
        """What the component gives is what was recorded for its version.

        If this fails: results changed, so raise the component's ``version``; then record anew with
        ``python -m mbti_core.testing PLUGIN FILE``.
        """
        name, now = name_of(case), record(case)
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        expect(name in known, f"{file.name} has no record of the {name}")
        then = known[name]
        same_version = then["version"] == now["version"]
        expect(same_version, f"{file.name} holds version {then['version']}, this is version {now['version']}")
        same = alike(then["fingerprint"], now["fingerprint"])
        expect(same, f"version {now['version']} gave {then['fingerprint']}, now {now['fingerprint']}")

    return golden
