"""What describes a model: its inputs, its classes, and the points where methods take hold of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable


@dataclass(frozen=True)
class InputSpec:
    """One model input, in storage form.

    Attributes:
        shape: Axis lengths without the batch axis; None marks a free axis.
        dtype: Name of the storage type, e.g. ``uint8``, ``int16``, ``str``.
        low: Smallest value that a sample may hold.
        high: Largest value that a sample may hold.
        discrete: Whether values are symbols (token ids) rather than magnitudes.
    """

    shape: tuple[int | None, ...]
    dtype: str
    low: float
    high: float
    discrete: bool = False


@dataclass(frozen=True)
class ModelInfo:
    """What a model factory and every adapter hook get to know.

    Attributes:
        arch: Component id of the model, e.g. ``toy/mlp``.
        modality: Name of the input modality.
        input: One input in storage form.
        num_classes: Width of the logits.
        facts: Facts of the data set's card that a front end needs (a sample rate).
    """

    arch: str
    modality: str
    input: InputSpec
    num_classes: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelInfo:
        """Rebuild what ``to_json`` gave."""
        spec = dict(data["input"])
        spec["shape"] = tuple(spec["shape"])
        return cls(data["arch"], data["modality"], InputSpec(**spec), data["num_classes"], data.get("facts", {}))


@runtime_checkable
class StartsFromData(Protocol):
    """A model that sets some of its weights from training inputs before it is trained (whitening, a scale)."""

    def start_from(self, inputs: Any) -> None:
        """Look at a batch of model inputs, drawn from the training rows."""


@runtime_checkable
class StartsFromSamples(Protocol):
    """A model that learns from training samples in storage form how to encode them (a tokenizer), before anything."""

    def start_from_samples(self, samples: Iterable[Any]) -> None:
        """Look at all training rows, batch by batch; what is learned belongs to the state dict."""

    def start_from_model(self, other: Any) -> None:
        """Encode samples as another model of the same component does: what it encoded can be taken over."""


@dataclass(frozen=True)
class FeatureTap:
    """Where the penultimate representation is: a module's input or output, and how it is pooled to (B, D)."""

    module: str
    side: Literal["input", "output"] = "input"
    pool: Literal["none", "flatten", "mean", "last"] = "flatten"


@dataclass(frozen=True)
class PrunableLayer:
    """A layer whose units may be removed: without its share of the parameters, a unit says nothing any more.

    Unit u owns the indices ``first + u * block`` to ``first + (u + 1) * block - 1`` along ``axis`` of each parameter;
    a parameter that lacks the axis (a bias, where units are inputs) is left alone.

    Attributes:
        module: Dotted name of the layer.
        units: Number of units.
        axis: Axis of the parameters that holds the units; -1 is each one's last.
        norm: Dotted name of the BatchNorm that scales those units, where there is one.
        parameters: Names of the layer's parameters that have a share of each unit.
        block: Indices per unit: the width of an attention head.
        first: Index of the first unit: where a recurrent layer keeps several gates in one parameter.
    """

    module: str
    units: int
    axis: int = 0
    norm: str | None = None
    parameters: tuple[str, ...] = ("weight", "bias")
    block: int = 1
    first: int = 0


@dataclass(frozen=True)
class Recipe:
    """How a family of models is trained further.

    Attributes:
        early: Epochs after which a model trained from its start knows what is learned easily, and little else; below 1,
            the share of one.
    """

    optimizer: Literal["sgd", "adamw", "adam"] = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 128
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.0
    epochs: int = 10
    early: float = 20.0


@dataclass(frozen=True)
class Rendering:
    """A sample for a person: HTML that stands on its own (inline picture, sound, marked-up text) and a caption.

    Attributes:
        text: The same for a terminal; empty where a sample cannot be written.
    """

    html: str
    caption: str
    extra: Sequence[str] = ()
    text: str = ""
