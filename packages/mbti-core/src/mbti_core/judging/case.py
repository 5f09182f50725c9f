"""What was given, opened: a model around its weights, samples with the labels that they carry, clean samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from mbti_core.contracts.defense import CleanSet, LabelledSet
from mbti_core.contracts.given import GivenData, GivenModel
from mbti_core.contracts.model import ModelInfo
from mbti_core.contracts.settings import Settings
from mbti_core.data.choose import stratified_rows
from mbti_core.data.rng import Draws
from mbti_core.data.split import OFFSETS, RecordColumn, Split, clean_kinds
from mbti_core.engine.config import settings_class
from mbti_core.engine.numerics import choose_precision
from mbti_core.engine.problems import problems_of
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError
from mbti_core.plugins.manager import Registered, Registry
from mbti_core.stages.represent import represent
from mbti_core.stages.train import ModelPlan, hold
from mbti_core.training.answers import check_answers
from mbti_core.training.subject import Subject
from mbti_core.training.weights import read_weights


@dataclass(frozen=True)
class Asked:
    """What a person asked for.

    Attributes:
        model: A file or folder with the model.
        data: A file or folder with the samples that it was, or will be, trained on.
        clean: The same with samples that the person trusts; None for none.
        arch: The architecture, where the model's files do not say it.
        settings: Further settings, by ``model`` or the name of a defense.
        defenses: Names of the defenses to run; empty for all that judge, but for those that train a model anew.
        rows: At most so many samples are looked at.
        costly_rows: At most so many by a defense that takes many forward passes for each.
        seed: Of all draws.
    """

    model: Path
    data: Path
    clean: Path | None = None
    arch: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    defenses: tuple[str, ...] = ()
    rows: int = 50_000
    costly_rows: int = 2_000
    seed: int = 0


@dataclass(frozen=True)
class Case:
    """What was given, ready to be judged.

    Attributes:
        plan: What the model is built from.
        subject: The model.
        classes: Names of the classes in the order of the logits.
        suspects: The samples, with the labels that they carry.
        split: The same as columns.
        names: Where a person finds each sample.
        clean: Trusted samples: a half to fit, a half to calibrate; None if none were given.
        accuracy: Share of the samples that the model gives the label that they carry.
        remarks: What a person must know of how this was read.
    """

    plan: ModelPlan
    subject: Subject
    classes: tuple[str, ...]
    suspects: LabelledSet
    split: Split[Any]
    names: Sequence[str]
    clean: CleanSet | None
    accuracy: float
    remarks: tuple[str, ...]

    @cached_property
    def features(self) -> Tensor:
        """(n, D) penultimate features of the samples, computed once for all defenses."""
        return represent(self.subject, self.suspects)


def open_case(asked: Asked, registry: Registry, device: torch.device) -> Case:
    """Read model and samples.

    Raises:
        DataUnavailableError: If a path does not exist or may not be read.
        DataFormatError: If a file is not what it should be, or model and samples do not fit each other.
        ConfigError: If nobody knows how to read the model, or it gives no logits for these samples.
        UnknownComponentError: If there is no such architecture.
    """
    given = _model(asked, registry)
    modality = given.arch.partition("/")[0]
    data = _data(asked.data, modality, given.info, registry)
    classes, remarks = _agreed(given, data, asked)
    info = given.info or ModelInfo(given.arch, modality, data.input, len(classes), data.facts)
    plan = _plan(given, info, registry, device)
    subject = plan.fresh(0) if given.weights is None else plan.load(read_weights(given.weights))
    subject.model.eval()
    draws = Draws(asked.seed).stream("scan")
    split, rows = _split(data, classes, asked.data, plan, OFFSETS["train"])
    if len(split) > asked.rows:
        kept = stratified_rows(split.labels, split.index, asked.rows, draws.stream("rows"))
        split, rows = split.subset(kept), [rows[row] for row in kept.tolist()]
        remarks = (*remarks, f"{len(kept):,} of {len(data.names):,} samples are looked at, drawn by class.")
    check_answers(subject, split)
    suspects = hold(split, subject.model, device)
    clean = _clean(asked, classes, plan, subject, registry, draws) if asked.clean is not None else None
    found = subject.predict(suspects.x)
    accuracy = float((found == suspects.y.cpu()).double().mean())
    return Case(plan, subject, classes, suspects, split, rows, clean, accuracy, remarks)


def _there(path: Path, option: str) -> Path:
    if not path.exists():
        raise DataUnavailableError(f"There is nothing at {str(path)!r}.", f"Correct {option}.")
    return path


def _model(asked: Asked, registry: Registry) -> GivenModel:
    path = _there(asked.model, "--model")
    answer = registry.pm.hook.mbti_given_model(path=path, arch=asked.arch)
    given = answer if isinstance(answer, GivenModel) else _described(path) if asked.arch is None else None
    if given is None:
        if asked.arch is None:
            raise ConfigError(
                f"Nothing in {path} says what architecture the model is.",
                "Name it with --arch MODALITY/NAME; 'mbti list models' names all.",
            )
        if "/" not in asked.arch:
            fitting = [r.component for r in registry.components("model") if r.component.name == asked.arch]
            ids = ", ".join(sorted(c.id for c in fitting))
            raise ConfigError(
                f"--arch: expected MODALITY/NAME, got {asked.arch!r}.",
                f"Choose among {ids}." if ids else "'mbti list models' names all.",
            )
        given = GivenModel(asked.arch, weights=path)
    return replace(given, settings={**given.settings, **asked.settings.get("model", {})})


def _described(path: Path) -> GivenModel | None:
    """Read a folder as the store and ``mbti export --role victim`` have it: ``model.json`` beside the weights."""
    file = path / "model.json"
    if not file.is_file():
        return None
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        info = ModelInfo.from_json(known["info"])
        classes = tuple(map(str, known.get("classes", ())))
        return GivenModel(known["arch"], known["settings"], path, info, known["precision"], classes)
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(
            f"{file}: expected what 'mbti export --role victim' writes; {type(error).__name__}: {error}.",
            "Export the model again, or name its architecture with --arch and its weights with --model.",
        ) from error


def _data(path: Path, modality: str, info: ModelInfo | None, registry: Registry, option: str = "--data") -> GivenData:
    if modality not in registry.modalities:
        raise registry.unknown("model", f"{modality}/", modality)
    answer = registry.pm.hook.mbti_given_data(path=_there(path, option), modality=modality, info=info)
    if not isinstance(answer, GivenData):
        raise DataFormatError(
            f"{path} holds no samples of the model's kind ({modality}).",
            "Put a folder per class there, each with its samples; texts may stand in a table (text, label).",
        )
    return answer


def _agreed(given: GivenModel, data: GivenData, asked: Asked) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the classes in the order of the logits, and what was assumed."""
    known, there = given.classes, data.classes
    if known and set(there) <= set(known):
        return known, ()
    count = len(known) or (given.info.num_classes if given.info else len(there))
    if count == len(there):
        return there, () if len(there) < 2 else ("The model's classes are taken to be in the order of their names.",)
    told = f": {', '.join(known[:12])}{' …' if len(known) > 12 else ''}" if known else ""
    raise DataFormatError(
        f"{asked.data}: the model has {count} classes{told}; the samples have {len(there)}: {', '.join(there[:12])}.",
        "Name the folders or labels as the model's classes are called.",
    )


def _plan(given: GivenModel, info: ModelInfo, registry: Registry, device: torch.device) -> ModelPlan:
    found = registry.find("model", given.arch)
    values = settings_of(found, "model", given.settings)
    plain = {name: getattr(values, name) for name in type(values).model_fields}
    precision = choose_precision(given.precision, found.component.traits, str(device))
    modality = registry.modalities[info.modality]
    return ModelPlan(found.load(), plain, info, modality, registry.adapters, device, precision)


def settings_of(found: Registered, called: str, values: Mapping[str, Any]) -> Settings:
    """Return the settings object of a component.

    Args:
        found: The component.
        called: What a person calls it, for messages.
        values: Settings as a person wrote them.

    Raises:
        ConfigError: If one is unknown or out of its range.
    """
    cls = settings_class(found)
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        first = problems_of(error, (called,), cls.model_fields)[0]
        raise ConfigError(f"--set {'.'.join(map(str, first.path))}: {first.text}", "Correct --set.") from error


def _split(
    data: GivenData, classes: Sequence[str], path: Path, plan: ModelPlan, offset: int
) -> tuple[Split[Any], Sequence[str]]:
    """Return the samples as columns; labels count in ``classes``."""
    if not len(data.names):
        raise DataFormatError(f"{path} holds no sample.", "Name another folder.")
    place = torch.tensor([classes.index(name) for name in data.classes])
    labels = place[torch.as_tensor(data.records.y)]
    index = torch.arange(len(labels))
    column = RecordColumn(data.records, index)
    return Split(column, labels, labels, clean_kinds(len(labels)), index + offset, plan.modality), data.names


def _clean(
    asked: Asked, classes: Sequence[str], plan: ModelPlan, subject: Subject, registry: Registry, draws: Draws
) -> CleanSet:
    assert asked.clean is not None
    data = _data(asked.clean, plan.info.modality, plan.info, registry, "--clean")
    strange = sorted(set(data.classes) - set(classes))
    if strange:
        raise DataFormatError(
            f"{asked.clean}: {strange[0]!r} is no class of the model ({', '.join(classes[:12])}).",
            "Name the folders or labels as those of the data are.",
        )
    split, _ = _split(data, classes, asked.clean, plan, OFFSETS["validation"])
    if len(split) < 2:
        raise DataFormatError(f"{asked.clean} holds 1 sample; expected at least 2.", "Add clean samples.")
    half = stratified_rows(split.labels, split.index, len(split) // 2, draws.stream("clean"))
    other = torch.ones(len(split), dtype=torch.bool)
    other[half] = False
    parts: list[Tensor] = [half, torch.nonzero(other).flatten()]
    return CleanSet(*(hold(split, subject.model, plan.device, part) for part in parts))
