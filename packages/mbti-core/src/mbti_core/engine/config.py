"""The spec of an experiment: stage settings, and resolving a spec to experiments with loaded components."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from mbti_core.contracts.settings import Settings
from mbti_core.data.fileref import FileRef

if TYPE_CHECKING:
    from mbti_core.plugins.manager import Registered

SPEC_SCHEMA = 1
Label = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class DatasetOptions(Settings):
    """Stage-level keys of ``dataset``: row counts (None takes all), and the defender's reserve."""

    train: Count | None = None
    test: Count | None = None
    reserve: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1


class NoiseOptions(Settings):
    """Stage-level key of ``noise``: the share of training rows that it touches."""

    share: Share = 0.25


class AttackOptions(Settings):
    """Stage-level keys of ``attack``: the poison ratio, a share of the training rows in (0, 1], and target(s)."""

    ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    target: Label | Annotated[tuple[Label, ...], Field(min_length=2)] | Literal["all-to-all"] = 0


class ModelOptions(Settings):
    """Stage-level key of ``model``: weights of somebody else, in place of training."""

    weights: FileRef | None = None


class DefenseOptions(Settings):
    """Stage-level keys of a defense: clean budget as a share of the training size, rows that are scored at most.

    With ``per_class`` the budget is so many clean samples of each class instead.
    With ``retrain`` a model like the victim is trained, as it was, on the rows that the defense keeps, and measured in
    its place. Every training row is scored then, whatever ``max_inputs`` says: a row that nobody judged is not kept.
    """

    budget: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    max_inputs: Count = 2000
    per_class: Count | None = None
    retrain: bool = False

    def keyed(self) -> dict[str, Any]:
        """Return what a key holds of them: what came later only where it is set, so that results are found again."""
        unset = {name for name in ("per_class", "retrain") if not getattr(self, name)}
        return self.model_dump(mode="json", exclude=unset)


class ThenConfig(Settings):
    """How a victim trains further on clean rows what somebody gave it; all else is as in the training before."""

    epochs: Count = 3
    lr: Annotated[float, Field(gt=0.0)] = 1e-4


class TrainConfig(Settings):
    """How the victim is trained, and its benign twin in the same way; ``augment`` is a strength, true the usual one."""

    epochs: Count = 10
    batch_size: Count = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0.0)] = 0.01
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    weight_decay: Annotated[float, Field(ge=0.0)] = 5e-4
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Share = 0.0
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    augment: bool | Share = True
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool = False
    then: ThenConfig | None = None


class SeedConfig(Settings):
    """Lists of seeds per group; ``data`` changes what is decoded and corrupted, so it stays 0 unless said."""

    data: Annotated[int, Field(ge=0)] = 0
    attack: list[Annotated[int, Field(ge=0)]] | None = None
    train: list[Annotated[int, Field(ge=0)]] | None = None
    defense: list[Annotated[int, Field(ge=0)]] | None = None


OPTIONS: Mapping[str, type[Settings]] = {
    "dataset": DatasetOptions,
    "noise": NoiseOptions,
    "attack": AttackOptions,
    "model": ModelOptions,
    "defense": DefenseOptions,
}


@dataclass(frozen=True)
class Choice:
    """A component with its validated settings and the stage-level options that stood beside them."""

    registered: Registered
    settings: Settings
    options: Any

    @property
    def name(self) -> str:
        """The component's name, as a spec says it."""
        return self.registered.component.name

    def portable(self) -> dict[str, Any]:
        """Return plain data from which another process builds the component again, paths included."""
        return {
            "kind": self.registered.component.kind,
            "id": self.registered.component.id,
            "settings": self.settings.model_dump(mode="json"),
            "options": self.options.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class Seeds:
    """The seed of each stage: ``prepare`` and ``corrupt``; ``fit`` and ``poison``; ``train``; ``defend``."""

    data: int = 0
    attack: int = 0
    train: int = 0
    defense: int = 0

    def label(self) -> str:
        """Return one number where the three agree and the data seed is 0, else each by its letter."""
        if self.data == 0 and self.attack == self.train == self.defense:
            return str(self.attack)
        return f"d{self.data}/a{self.attack}/t{self.train}/f{self.defense}"


@dataclass(frozen=True)
class Experiment:
    """One experiment with one set of seeds, every component loaded and validated."""

    name: str
    modality: str
    dataset: Choice
    noise: tuple[Choice, ...]
    attack: Choice | None
    model: Choice
    train: TrainConfig
    defenses: tuple[Choice, ...]
    seeds: Seeds
    variant: str = ""
    """What a grid varied here, as text, apart from what a table's own columns show."""


@cache
def factory_settings(factory: Any) -> type[Settings]:
    """Build the settings class of a model factory from its keyword parameters (all but ``info``)."""
    hints = inspect.get_annotations(factory, eval_str=True)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(factory).parameters.items()
        if name != "info"
    }
    return create_model(factory.__name__, __base__=Settings, **fields)


def settings_class(registered: Registered) -> type[Settings]:
    """Return the settings class of a component, importing its code."""
    target = registered.load()
    if isinstance(target, type) and issubclass(target, BaseModel):
        return target  # type: ignore[return-value]  # every component class derives from Settings
    return factory_settings(target)
