"""Stages, hooks, store, training and command line of BackdoorMBTI: the names that plugins and notebooks use.

Each name is imported when it is first asked for, so that a command starts without what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbti_core.api import Results, run, scan
    from mbti_core.contracts.attack import (
        Aim,
        Attack,
        FitContext,
        PoisonContext,
        RowKind,
        Selection,
        TrainingAttack,
        WeightAttack,
    )
    from mbti_core.contracts.component import Component, Source
    from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Records
    from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Filter, Verdict
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe, Rendering
    from mbti_core.contracts.noise import Noise, NoiseContext
    from mbti_core.errors import MbtiError, NotSupportedError
    from mbti_core.plugins.hookspecs import hookimpl

__all__ = [
    "run",
    "scan",
    "Results",
    "Component",
    "Source",
    "hookimpl",
    "Attack",
    "TrainingAttack",
    "WeightAttack",
    "PoisonContext",
    "FitContext",
    "Selection",
    "Aim",
    "RowKind",
    "Defense",
    "DefenseContext",
    "DefenseView",
    "Filter",
    "DefenseOutcome",
    "Verdict",
    "DatasetSource",
    "Records",
    "Card",
    "Origin",
    "Download",
    "Noise",
    "NoiseContext",
    "Modality",
    "ModelInfo",
    "InputSpec",
    "FeatureTap",
    "PrunableLayer",
    "Recipe",
    "Rendering",
    "MbtiError",
    "NotSupportedError",
]

_HOMES = {
    "mbti_core.api": ("Results", "run", "scan"),
    "mbti_core.contracts.attack": (
        "Aim",
        "Attack",
        "FitContext",
        "PoisonContext",
        "RowKind",
        "Selection",
        "TrainingAttack",
        "WeightAttack",
    ),
    "mbti_core.contracts.component": ("Component", "Source"),
    "mbti_core.contracts.dataset": ("Card", "DatasetSource", "Download", "Origin", "Records"),
    "mbti_core.contracts.defense": ("Defense", "DefenseContext", "DefenseOutcome", "DefenseView", "Filter", "Verdict"),
    "mbti_core.contracts.modality": ("Modality",),
    "mbti_core.contracts.model": ("FeatureTap", "InputSpec", "ModelInfo", "PrunableLayer", "Recipe", "Rendering"),
    "mbti_core.contracts.noise": ("Noise", "NoiseContext"),
    "mbti_core.errors": ("MbtiError", "NotSupportedError"),
    "mbti_core.plugins.hookspecs": ("hookimpl",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'mbti_core' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
