"""From a spec (plain data) to experiments: every component found, every setting validated, all mistakes at once."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mbti_core.contracts.settings import Settings
from mbti_core.engine.config import (
    OPTIONS,
    SPEC_SCHEMA,
    Choice,
    Experiment,
    SeedConfig,
    Seeds,
    TrainConfig,
    settings_class,
)
from mbti_core.engine.problems import Problem, SpecError, Where, problems_of
from mbti_core.errors import MissingPluginError, UnknownComponentError, near_names
from mbti_core.plugins.manager import Registered, Registry

COLUMNS = {
    "dataset",
    "dataset.name",
    "dataset.train",
    "attack",
    "attack.name",
    "attack.ratio",
    "attack.target",
    "model",
    "model.name",
    "train.epochs",
}
"""What a row says anyhow, so that a grid over it needs no further words."""
KEYS = ("schema", "name", "modality", "seeds", "dataset", "noise", "attack", "model", "train", "defenses", "grid")


def resolve(raw: Mapping[str, Any], registry: Registry) -> list[Experiment]:
    """Expand the grid and the seeds of a spec, and load and validate everything in it.

    Args:
        raw: The spec as plain data.
        registry: Where components are found.

    Returns:
        One experiment per grid point and set of seeds.

    Raises:
        SpecError: With every mistake found.
        UnknownComponentError: If a component does not exist.
        MissingPluginError: If the package that brings it is not installed.
    """
    problems = _shape_problems(raw)
    if problems:
        raise SpecError(problems)
    experiments = []
    for point, varied in _grid(raw):
        found = _Resolver(point, registry, varied)
        template = found.experiment()
        if found.problems or template is None:
            raise SpecError(list(dict.fromkeys(found.problems)))
        variant = ", ".join(said for path in varied for said in _said(_dotted(path), _at(point, path)))
        experiments += [replace(template, seeds=seeds, variant=variant) for seeds in found.seeds()]
    return experiments


def _shape_problems(raw: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for key in raw:
        if key not in KEYS:
            problems.append(
                Problem((key,), f"unknown key. {near_names(str(key), KEYS) or 'The keys are ' + ', '.join(KEYS) + '.'}")
            )
    if raw.get("schema", SPEC_SCHEMA) != SPEC_SCHEMA:
        problems.append(
            Problem(("schema",), f"expected {SPEC_SCHEMA}, the schema that this version reads, got {raw['schema']!r}.")
        )
    grid = raw.get("grid", {})
    there = {str(key).split(".")[0] for key in grid} if isinstance(grid, Mapping) else set()
    problems += [
        Problem((key,), "missing; this key is required.")
        for key in ("dataset", "model")
        if not raw.get(key) and key not in there
    ]
    if not isinstance(grid, Mapping):
        problems.append(Problem(("grid",), f"expected a mapping from keys to lists, got {raw['grid']!r}."))
    return problems


def _grid(raw: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[Where, Where]]]:
    """Yield each grid point as a spec, with where its varied values stand in the file."""
    axes: dict[Where, list[Any]] = {}
    for dotted, values in raw.get("grid", {}).items():
        if not isinstance(values, list) or not values:
            raise SpecError([Problem(("grid", dotted), f"expected a list of at least one value, got {values!r}.")])
        axes[tuple(str(dotted).split("."))] = values
    for combination in itertools.product(*axes.values()):
        point = copy.deepcopy({k: v for k, v in raw.items() if k != "grid"})
        for path, value in zip(axes, combination, strict=True):
            _put(point, path, value)
        yield point, {path: ("grid", ".".join(map(str, path))) for path in axes}


def _said(name: str, value: Any) -> list[str]:
    """Say what a grid varies and no column of a row shows; of a component only the settings that stand in the grid."""
    if isinstance(value, Mapping):
        return [said for key in value for said in _said(f"{name}.{key}", value[key])]
    return [] if name in COLUMNS else [f"{name}={value}"]


def _put(point: dict[str, Any], path: Where, value: Any) -> None:
    at: Any = point
    for part in path[:-1]:
        if isinstance(at.get(part), str):
            at[part] = {"name": at[part]}
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            raise SpecError(
                [
                    Problem(
                        ("grid", ".".join(map(str, path))), f"expected a path to a setting; {part!r} is not a mapping."
                    )
                ]
            )
    at[path[-1]] = value


def _dotted(path: Where) -> str:
    return ".".join(map(str, path))


def _at(point: Any, path: Where) -> Any:
    for part in path:
        point = point[part]
    return point


class _Resolver:
    """One grid point on its way to an experiment; collects mistakes instead of stopping at the first."""

    def __init__(self, raw: dict[str, Any], registry: Registry, varied: dict[Where, Where]) -> None:
        self.raw, self.registry, self.varied = raw, registry, varied
        self.problems: list[Problem] = []

    def problem(self, path: Where, text: str) -> None:
        self.problems.append(Problem(self.varied.get(path, path), text))

    def experiment(self) -> Experiment | None:
        modality = self.modality()
        dataset = self.choice("dataset", ("dataset",), self.raw["dataset"], modality)
        noise_raw = self.raw.get("noise") or []
        listed = isinstance(noise_raw, list)
        noise = [
            self.choice("noise", ("noise", i) if listed else ("noise",), item, modality)
            for i, item in enumerate(noise_raw if listed else [noise_raw])
        ]
        attack_raw = self.raw.get("attack") or "none"
        none = attack_raw == "none" or (isinstance(attack_raw, dict) and attack_raw.get("name") == "none")
        attack = None if none else self.choice("attack", ("attack",), attack_raw, modality)
        model = self.choice("model", ("model",), self.model(), modality)
        train = self.settings(TrainConfig, ("train",), self.raw.get("train") or {})
        defenses = [
            self.choice("defense", ("defenses", i), item, modality)
            for i, item in enumerate(self.raw.get("defenses") or [])
        ]
        self.target_exists(dataset, attack)
        self.retrainable(defenses, model, modality)
        if self.problems or dataset is None or model is None or train is None:
            return None
        name = str(self.raw.get("name") or f"{dataset.name}-{attack.name if attack else 'none'}")
        assert isinstance(train, TrainConfig)
        return Experiment(name, modality, dataset, _whole(noise), attack, model, train, _whole(defenses), Seeds())

    def modality(self) -> str:
        if self.raw.get("modality"):
            return str(self.raw["modality"])
        name = self._name(self.raw["dataset"]) or ""
        if "/" in name:
            return name.split("/", 1)[0]
        fits = [r.component.modality for r in self.registry.components("dataset") if r.component.name == name]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise SpecError([Problem(("modality",), f"missing; {name!r} exists for {' and '.join(fits)}.")])
        raise self.registry.unknown("dataset", name, None)

    @staticmethod
    def _name(raw: Any) -> str | None:
        return raw if isinstance(raw, str) else raw.get("name") if isinstance(raw, dict) else None

    def model(self) -> Any:
        """Complete ``model: {weights: FOLDER}`` from what the folder says of itself."""
        raw = self.raw["model"]
        if isinstance(raw, dict) and raw.get("weights") and not raw.get("name"):
            described = Path(str(raw["weights"])) / "model.json"
            if described.is_file():
                known = json.loads(described.read_text(encoding="utf-8"))
                return {"name": known["arch"], **known["settings"], **raw}
            self.problem(
                ("model", "name"), f"missing; {raw['weights']!r} holds no model.json that names the architecture."
            )
        return raw

    def choice(self, kind: str, path: Where, raw: Any, modality: str) -> Choice | None:
        name = self._name(raw)
        if not isinstance(name, str):
            self.problem(path, f"expected a name, or a mapping with the key 'name', got {raw!r}.")
            return None
        registered = self.registry.find(kind, name, modality)
        if registered.component.modality not in (modality, "any"):
            raise UnknownComponentError(
                f"The {kind} {name!r} is not for {modality}.", f"Run 'mbti list {kind}s' and choose one for {modality}."
            )
        cls, options_cls = settings_class(registered), OPTIONS[kind]
        values = {k: v for k, v in raw.items() if k != "name"} if isinstance(raw, dict) else {}
        beside = {k: values.pop(k) for k in list(values) if k in options_cls.model_fields}
        keys = {**cls.model_fields, **options_cls.model_fields}
        settings = self.settings(cls, path, values, keys)
        options = self.settings(options_cls, path, beside, keys)
        return Choice(registered, settings, options) if settings is not None and options is not None else None

    def settings(
        self, cls: type[Settings], path: Where, values: Any, keys: Mapping[str, Any] | None = None
    ) -> Settings | None:
        if not isinstance(values, dict):
            self.problem(path, f"expected a mapping, got {values!r}.")
            return None
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            for found in problems_of(error, path, keys or cls.model_fields):
                self.problem(found.path, found.text)
            return None

    def target_exists(self, dataset: Choice | None, attack: Choice | None) -> None:
        if dataset is None or attack is None:
            return
        if isinstance(attack.options.target, tuple) and "several_targets" not in attack.registered.component.traits:
            text = f"expected one class or all-to-all, since {attack.name} has a single trigger, got a list."
            self.problem(("attack", "target"), text)
        classes = dataset.settings.card().classes  # type: ignore[attr-defined]  # a data set's settings
        if classes:  # else the plan looks, which knows where the files are
            for problem in target_problems(attack.options.target, dataset.name, len(classes)):
                self.problem(*problem)

    def retrainable(self, defenses: list[Choice | None], model: Choice | None, modality: str) -> None:
        for i, choice in enumerate(defenses):
            if choice is None or not choice.options.retrain:
                continue
            if not _keeps_rows(choice.registered):
                able = [r.component.name for r in self.registry.components("defense", modality) if _keeps_rows(r)]
                text = f"expected a defense that keeps some rows ({', '.join(able)}), got {choice.name}."
                self.problem(("defenses", i, "retrain"), text)
            if model is not None and model.options.weights:
                text = "expected a victim that is trained in this run; nobody knows how model.weights were trained."
                self.problem(("defenses", i, "retrain"), text)

    def seeds(self) -> list[Seeds]:
        raw = self.raw.get("seeds", [0])
        if isinstance(raw, dict):
            config = self.settings(SeedConfig, ("seeds",), raw)
            if not isinstance(config, SeedConfig):
                raise SpecError(self.problems)
            attack, train, defense = (group or [0] for group in (config.attack, config.train, config.defense))
            return [Seeds(config.data, a, t, f) for a in attack for t in train for f in defense]
        return [Seeds(0, n, n, n) for n in parse_seeds(raw)]


def _whole(choices: list[Choice | None]) -> tuple[Choice, ...]:
    return tuple(c for c in choices if c is not None)


def _keeps_rows(defense: Registered) -> bool:
    """Tell whether a defense gives a sanitized split; one that cannot be imported gives nothing."""
    with suppress(MissingPluginError):
        return "keep" in defense.load().yields
    return False


def target_problems(target: Any, dataset: str, classes: int) -> list[Problem]:
    """Return a problem for each target that is no class of the data set."""
    named = () if target == "all-to-all" else target if isinstance(target, tuple) else (target,)
    text = f"expected a class of {dataset}, an integer from 0 to {classes - 1}, got {{}}."
    return [Problem(("attack", "target"), text.format(wrong)) for wrong in named if wrong >= classes]


def parse_seeds(raw: Any) -> list[int]:
    """Read seeds: a number, a list of numbers, or a range as ``0-4``.

    Raises:
        SpecError: If it is none of these.
    """
    items = raw if isinstance(raw, list) else str(raw).split(",")
    seeds: list[int] = []
    for item in items:
        first, dash, last = str(item).strip().partition("-")
        if isinstance(item, bool) or not first.isdigit() or (dash and not last.isdigit()):
            raise SpecError(
                [Problem(("seeds",), f"expected integers of at least 0, as [0, 1, 2] or '0-4', got {raw!r}.")]
            )
        seeds += range(int(first), int(last if dash else first) + 1)
    if not seeds:
        raise SpecError([Problem(("seeds",), f"expected at least one seed, got {raw!r}.")])
    return seeds
