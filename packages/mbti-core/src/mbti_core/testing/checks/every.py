"""Checks of every component, and of the plugin that brings it."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import subprocess
import sys

from mbti_core.contracts.attack import Attack
from mbti_core.contracts.dataset import DatasetSource
from mbti_core.contracts.defense import Defense
from mbti_core.contracts.noise import Noise
from mbti_core.contracts.settings import Settings
from mbti_core.engine.config import OPTIONS, settings_class
from mbti_core.errors import MbtiError
from mbti_core.testing.checks.case import Case, Check, PluginCase, expect

_BASES = {"attack": Attack, "dataset": DatasetSource, "defense": Defense, "noise": Noise}
_LIGHT = """
import importlib, sys
plugin = importlib.import_module(sys.argv[1])
register = getattr(plugin, "mbti_register", None)
list(register()) if register else []
heavy = {"torch", "sklearn", "scipy", "transformers"} & set(sys.modules)
sys.exit(", ".join(sorted(heavy)) if heavy else 0)
"""


def importable_without_torch(case: PluginCase) -> None:
    """The plugin's module and its ``mbti_register`` import nothing heavy.

    If this fails: name components as ``module:Name`` strings, and import torch inside the hooks that need it.
    """
    done = subprocess.run(
        [sys.executable, "-c", _LIGHT, case.status.module],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    expect(done.returncode == 0, f"importing {case.status.module} gave: {done.stderr.strip()[-500:]}")


def loads(case: Case) -> None:
    """The target can be imported, and is what its kind promises.

    If this fails: correct the target in the plugin's table of contents, or derive the class from its kind's base.
    """
    try:
        target = case.registered.load()
    except (MbtiError, AttributeError) as error:
        expect(False, str(error))
        return
    base = _BASES.get(case.component.kind)
    if base is None:
        expect(callable(target) and not inspect.isclass(target), f"expected a function, got {target!r}")
    else:
        expect(
            inspect.isclass(target) and issubclass(target, base),
            f"expected a subclass of {base.__name__}, got {target!r}",
        )
        expect(not inspect.isabstract(target), f"{target.__name__} leaves abstract: {_abstract(target)}")


def _abstract(target: type) -> str:
    return ", ".join(sorted(getattr(target, "__abstractmethods__", ())))


def documented(case: Case) -> None:
    """The component has a summary for listings and a docstring of its own.

    If this fails: write a docstring (what it does, threat model, shapes, source, deviations), and a summary
    in one line.
    """
    doc = case.registered.load().__doc__ or ""
    inherited = {base.__doc__ for base in _BASES.values()} | {Settings.__doc__}
    expect(bool(doc.strip()) and doc not in inherited, "it has no docstring of its own")
    summary = case.component.summary
    expect(bool(summary) and "\n" not in summary, f"expected a summary in one line, got {summary!r}")


def defaults_round_trip(case: Case) -> None:
    """Default settings survive JSON, and no setting has the name of a stage's key.

    If this fails: give every setting a default and a type that JSON can hold; rename settings that a stage owns.
    """
    plain = json.loads(json.dumps(case.settings.model_dump(mode="json"), allow_nan=False))
    expect(type(case.settings).model_validate(plain) == case.settings, f"{plain} gives other settings")
    expect(not case.settings.__pydantic_extra__, "expected no settings beside the declared ones")
    owned = {"name", *OPTIONS[case.component.kind].model_fields} if case.component.kind in OPTIONS else {"name"}
    clash = owned & set(settings_class(case.registered).model_fields)
    expect(not clash, f"settings that belong to the stage: {', '.join(sorted(clash))}")


def picklable(case: Case) -> None:
    """The settings object can be sent to another process.

    If this fails: keep tensors, open files and lambdas out of settings, and the class at the top of its module.
    """
    if case.component.kind == "model":
        target = case.registered.load()
        expect(pickle.loads(pickle.dumps(target)) is target, "the factory comes back as another object")
        return
    try:
        same = pickle.loads(pickle.dumps(case.settings))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        expect(False, str(error))
        return
    expect(same == case.settings, "the settings come back changed")


def _has_settings(case: Case) -> bool:
    return case.component.kind != "metric"


PLUGIN_CHECKS = (Check(importable_without_torch),)
CHECKS = (
    Check(documented),
    Check(defaults_round_trip, applies=_has_settings),
    Check(picklable, applies=_has_settings),
)
FIRST = Check(loads)
"""Without this one, no other can run."""
