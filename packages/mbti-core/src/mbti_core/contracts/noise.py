"""What a noise implements: corrupt a batch of samples or of labels, before any attack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from mbti_core.contracts.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from mbti_core.data.rng import Draws

X = TypeVar("X")


@dataclass(frozen=True)
class NoiseContext:
    """What a noise knows about a batch: row ids (B,), true labels (B,), number of classes, keyed randomness."""

    index: Tensor
    y: Tensor
    classes: int
    draws: Draws


class Noise(Settings, ABC, Generic[X]):
    """A noise on samples (``on = "x"``) or on labels (``on = "y"``: x is then an int64 tensor (B,)).

    The stage chooses a ``share`` of the rows (stage-level key, default 0.25) once per data set and calls ``apply`` on
    those only: on samples batch by batch, on labels once with all of them, so that counts can be exact.
    """

    on: ClassVar[Literal["x", "y"]] = "x"

    @abstractmethod
    def apply(self, x: X, ctx: NoiseContext) -> X:
        """Return the corrupted batch; same type, shape and range; strength 0 is the identity."""
