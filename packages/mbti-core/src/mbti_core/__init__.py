"""Stages, hooks, store, training and command line of BackdoorMBTI: the names that plugins and notebooks use."""

from mbti_core.api import Results, run
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
from mbti_core.contracts.dataset import Card, DatasetSource, Records
from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Verdict
from mbti_core.contracts.modality import Modality
from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe, Rendering
from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.errors import MbtiError, NotSupportedError
from mbti_core.plugins.hookspecs import hookimpl

__all__ = [
    "run",
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
    "DefenseOutcome",
    "Verdict",
    "DatasetSource",
    "Records",
    "Card",
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
