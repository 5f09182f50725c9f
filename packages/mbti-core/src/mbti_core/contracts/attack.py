"""What an attack implements: poison data, control training, or edit weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from mbti_core.contracts.settings import Settings
from mbti_core.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mbti_core.contracts.model import Recipe
    from mbti_core.data.rng import Draws
    from mbti_core.data.split import Split
    from mbti_core.training.step import StepContext, TrainBatch
    from mbti_core.training.subject import Subject

X = TypeVar("X")
State = Mapping[str, "Tensor"]
Role = Literal["train", "test"]


class RowKind(IntEnum):
    """What a row of a training split is: the ground truth of every detector."""

    CLEAN = 0
    POISONED = 1
    COVER = 2


@dataclass(frozen=True)
class Aim:
    """What the attacker wants, as the spec says it (stage-level key ``target``).

    Attributes:
        target: The target class, several (each row has one of them, by its id), or ``all-to-all`` (class y answers
            (y + 1) mod ``classes``).
        classes: Number of classes.
    """

    target: int | tuple[int, ...] | Literal["all-to-all"]
    classes: int


@dataclass(frozen=True)
class Selection:
    """Which training rows an attack changes: positions in the split, disjoint, each ascending."""

    poison: Tensor
    cover: Tensor


@dataclass(frozen=True)
class PoisonContext:
    """What ``poison`` knows about a batch.

    Attributes:
        index: (B,) int64, stable row ids; every random draw is keyed by them.
        y: (B,) int64, true labels.
        goal: (B,) int64, the label that the attacker wants for each row.
        kind: (B,) uint8, ``RowKind`` of each row.
        role: ``train`` for training rows, ``test`` for the triggered test set.
        aim: Target class and number of classes.
        draws: Counter-based randomness of the attack seed.
        state: What ``fit`` learned (tensors by name); empty without ``fit``.
    """

    index: Tensor
    y: Tensor
    goal: Tensor
    kind: Tensor
    role: Role
    aim: Aim
    draws: Draws
    state: State


@dataclass(frozen=True)
class FitContext:
    """What ``fit``, ``start`` and ``implant`` know.

    Attributes:
        aim: Target class and number of classes.
        draws: Counter-based randomness of the attack seed.
        device: Where to compute.
        surrogate: In ``fit`` of an attack with the trait ``surrogate``: the benign twin, which the attacker may look
            into and copy but not change.
        chosen: In ``fit`` of an attack with the trait ``knows_rows``: the training rows that it will poison.
        state: In ``start`` and ``implant``: what ``fit`` learned.
    """

    aim: Aim
    draws: Draws
    device: torch.device
    surrogate: Subject | None = None
    chosen: Selection | None = None
    state: State = field(default_factory=dict)


class Attack(Settings, ABC, Generic[X]):
    """An attack that poisons training data; its fields are its settings.

    Subclasses implement ``poison`` on a batch, as a pure function: the input is never changed in place, and what a
    draw gives depends only on (seed, row id). The stage-level keys ``ratio`` and ``target`` are not settings.
    """

    @abstractmethod
    def poison(self, x: X, ctx: PoisonContext) -> X:
        """Return the batch with the trigger on every row; same type, shape and range."""

    def fit(self, split: Split[X], ctx: FitContext) -> dict[str, Tensor]:
        """Learn or draw what the trigger needs once, before any row is poisoned; saved with the weights."""
        del split, ctx
        return {}

    def choose(self, split: Split[X], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose ``n`` rows to poison; by default uniformly among the rows with ``victims`` (the target class too)."""
        from mbti_core.data.choose import uniform_rows  # noqa: PLC0415 - keeps torch out of listings

        return Selection(*uniform_rows(split, self.victims(split.labels, aim), n, draws))

    def goal(self, y: Tensor, index: Tensor, aim: Aim) -> Tensor:
        """Return the label that the attacker wants for each row: (B,), from true labels ``y`` and row ids ``index``."""
        if aim.target == "all-to-all":
            return (y + 1) % aim.classes
        if isinstance(aim.target, tuple):
            from mbti_core.data.rng import Draws  # noqa: PLC0415 - keeps torch out of listings

            # Not index % k: where classes come in turn, it would tie a row's target to its class.
            return y.new_tensor(aim.target)[Draws(0).stream("target").integers(index.to(y.device), len(aim.target))]
        return y * 0 + aim.target

    def victims(self, y: Tensor, aim: Aim) -> Tensor:
        """Return a (B,) mask: which true classes the attack is meant for; all of them by default."""
        del aim
        return y >= 0

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Return a (B,) mask: true classes that must keep their label under a cover row's trigger; none by default."""
        del aim
        return y < 0


class CleanLabelAttack(Attack[X], ABC, Generic[X]):
    """An attack that leaves every label as it is: only rows of the target class are poisoned."""

    def choose(self, split: Split[X], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose ``n`` rows of the target class (all of them, if there are fewer).

        Raises:
            ConfigError: If there is no single target class.
        """
        from mbti_core.data.choose import uniform_rows  # noqa: PLC0415 - keeps torch out of listings

        return Selection(*uniform_rows(split, split.labels == single_target(aim), n, draws))


def single_target(aim: Aim) -> int:
    """Return the target class.

    Raises:
        ConfigError: If there are several.
    """
    if isinstance(aim.target, int):
        return aim.target
    raise ConfigError(
        f"attack.target: this attack works towards one class; expected an integer, got {aim.target}.",
        "Name one target class.",
    )


class TrainingAttack(Attack[X], ABC, Generic[X]):
    """An attack that controls training: it sees each batch of the corrupted split and returns the loss.

    ``poison`` still makes the static form (fixed rows triggered), for detectors, exports and evaluation; with the trait
    ``trains_trigger`` it finds what was trained beside the victim in its state, under ``beside.``.

    Attributes:
        beside_recipe: Optimizer and schedule of what ``start`` returns; None takes the victim's.
    """

    beside_recipe: ClassVar[Recipe | None] = None

    @abstractmethod
    def step(self, batch: TrainBatch[X], ctx: StepContext[X]) -> Tensor:
        """Return the loss of one batch; members are drawn by hash(seed, epoch, row id)."""

    def start(self, model: nn.Module, ctx: FitContext) -> nn.Module | None:
        """Return what is trained beside the model (a generator, a mask net), or None; it is saved with the weights."""
        del model, ctx
        return None

    def end_epoch(self, ctx: StepContext[X]) -> None:
        """Do what the attack does between epochs; nothing by default."""
        del ctx


class WeightAttack(Attack[X], ABC, Generic[X]):
    """An attack that edits a trained model."""

    @abstractmethod
    def implant(self, model: nn.Module, split: Split[X], ctx: FitContext) -> nn.Module:
        """Return a new module with the backdoor in its weights; ``model`` stays as it is."""
