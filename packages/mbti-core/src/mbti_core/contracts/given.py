"""What somebody brings: a model in files, samples in files, and nothing that says what was done to either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbti_core.contracts.dataset import Records
    from mbti_core.contracts.model import InputSpec, ModelInfo


@dataclass(frozen=True)
class GivenModel:
    """How the files of a model are read.

    Attributes:
        arch: Component id of the model.
        settings: Its settings, as a spec says them.
        weights: A state dict to load; None where the component reads the files itself.
        info: What the model is, where its files say so.
        precision: ``fp32``, ``bf16``, or ``auto`` where its files say neither.
        classes: Names of the classes in the order of the logits, where its files say so.
    """

    arch: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    info: ModelInfo | None = None
    precision: str = "auto"
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenData:
    """Labelled samples in files.

    Attributes:
        modality: Name of their modality.
        records: Labels as places in ``classes``, and what reads the samples.
        names: Where a person finds each row: a file below the path, or beside it if that is a file, and perhaps
            ``: line N``.
        classes: Names of the classes that the files show, in label order.
        input: One sample in storage form.
        facts: What a front end needs to know of all samples (a sample rate).
    """

    modality: str
    records: Records[Any]
    names: Sequence[str]
    classes: tuple[str, ...]
    input: InputSpec
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorRates:
    """How often a defense is right about whole models or data sets, counted on a bench of both kinds.

    Attributes:
        defense: Component id.
        modality: Of the bench.
        bench: What the bench is made of, in a few words.
        backdoored: Backdoored models, or poisoned data sets, on it.
        found: Those of them that the defense raises an alarm on.
        benign: Benign ones.
        alarms: Those of them that it raises an alarm on.
        auc: Chance that a backdoored one scores above a benign one; None where the defense gives no such score.
    """

    defense: str
    modality: str
    bench: str
    backdoored: int
    found: int
    benign: int
    alarms: int
    auc: float | None = None
