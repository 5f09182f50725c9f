"""What a defense implements: one contract, with declared needs and yields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from mbti_core.contracts.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mbti_core.contracts.model import ModelInfo
    from mbti_core.data.rng import Draws
    from mbti_core.engine.config import TrainConfig
    from mbti_core.plugins.adapters import Adapters
    from mbti_core.training.subject import Subject

X = TypeVar("X")
Need = Literal["model", "clean", "suspects", "features", "inputs", "model_factory"]
Yield = Literal["scores", "verdict", "model", "keep", "filter"]


@dataclass(frozen=True)
class CleanSet:
    """Clean labelled samples that the defender owns, drawn from the reserve; never test data.

    Attributes:
        fit: Samples (storage form, as a held set) for fitting.
        calibrate: Samples disjoint from ``fit``, for thresholds.
    """

    fit: LabelledSet
    calibrate: LabelledSet


@dataclass(frozen=True)
class LabelledSet:
    """Samples with the labels as given, held on the device; no ground truth.

    Attributes:
        x: A held column: ``len(x)``, ``x.take(rows) -> batch`` in storage form.
        y: (N,) int64 labels as given.
        index: (N,) int64 stable row ids, for keyed draws.
    """

    x: Any
    y: Tensor
    index: Tensor


@dataclass(frozen=True)
class DefenseView:
    """Exactly what a defense declared in ``needs``; everything else is None.

    Attributes:
        subject: The model under suspicion, with encode, features and predict (``model``).
        clean: The clean budget (``clean``).
        suspects: Training data with labels as given (``suspects``).
        features: Gives the penultimate features of the suspects, (n, D) float32 on the CPU, row by row; a forward pass
            that is done once for all defenses of a model. ``NotSupportedError`` if nobody says where they are
            (``features``).
        inputs: Unlabelled inputs at inference (``inputs``).
        model_factory: Builds a fresh, untrained subject of the same architecture (``model_factory``).
    """

    subject: Subject | None = None
    clean: CleanSet | None = None
    suspects: LabelledSet | None = None
    features: Callable[[], Tensor] | None = None
    inputs: LabelledSet | None = None
    model_factory: Callable[[], Subject] | None = None


@dataclass(frozen=True)
class DefenseContext:
    """What a defense computes with: typed adapters, keyed randomness, device, the model's description.

    Attributes:
        training: How models are trained on this data, for a method that trains one anew; None where nobody knows.
    """

    adapters: Adapters
    draws: Draws
    device: torch.device
    info: ModelInfo
    training: TrainConfig | None = None


@dataclass(frozen=True)
class Verdict:
    """What an inspection of a model says.

    Attributes:
        score: Larger is more suspicious.
        backdoored: The decision at the method's threshold.
        targets: Suspected target classes.
        per_class: A score per class, where the method has one.
        limit: The score above which a class or the model is suspected, where the method has one.
    """

    score: float
    backdoored: bool
    targets: tuple[int, ...] = ()
    per_class: tuple[float, ...] = ()
    limit: float | None = None


@dataclass(frozen=True)
class DefenseOutcome:
    """What a defense gives; the runner measures everything that is there.

    Attributes:
        scores: (n,) float, higher is more suspicious, one per row of ``view.suspects``.
        threshold: Rows with ``scores > threshold`` are flagged; with ``scores`` there is this or ``flags``.
        flags: (n,) bool, for rules that are not a threshold on the score.
        expected: Share of clean rows that the rule flags by its own setting: that many are no sign of poison.
        calibrated_on: Clean rows that set the threshold to ``expected``; 0 where none did.
        verdict: A statement about the model.
        model: A repaired model, a new module.
        keep: (n,) bool, the sanitized split.
        filter: Maps a storage-form batch to a purified one, applied before the model at test time.
        triggers: Reversed triggers by suspected class, the surest first, each a batch of one in storage form.
        notes: Numbers worth recording, by name.
    """

    scores: Tensor | None = None
    threshold: float | None = None
    flags: Tensor | None = None
    expected: float = 0.0
    calibrated_on: int = 0
    verdict: Verdict | None = None
    model: nn.Module | None = None
    keep: Tensor | None = None
    filter: Callable[[Any], Any] | None = None
    triggers: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    notes: Mapping[str, float] = field(default_factory=dict)


class Defense(Settings, ABC):
    """A defense; its fields are its settings, ``needs`` and ``yields`` its threat model.

    The stage-level keys ``budget`` (clean samples for fitting, a share of the training size), ``per_class`` (so many of
    each class instead), ``max_inputs`` (rows that a costly detector scores) and ``retrain`` (a fresh model is trained
    on what ``keep`` leaves) are not settings. The runner builds the view from ``needs``; ground truth does not exist in
    it.
    """

    needs: ClassVar[frozenset[Need]]
    yields: ClassVar[frozenset[Yield]]
    costly: ClassVar[bool] = False
    """Whether a row costs many forward passes: the runner then hands over ``max_inputs`` rows, drawn by kind."""

    @abstractmethod
    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return what was declared in ``yields``; the model in the view stays as it is, in weights and mode."""


class Filter(Defense, Generic[X]):
    """A defense that changes each input before the model sees it, at test time, and knows no more than the input."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    yields: ClassVar[frozenset[Yield]] = frozenset({"filter"})

    @abstractmethod
    def purify(self, x: X, draws: Draws) -> X:
        """Return a batch (B, ...) in storage form, purified; draws are keyed by place in the batch."""

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return ``purify`` as the filter."""
        del view
        return DefenseOutcome(filter=lambda x: self.purify(x, ctx.draws))
