"""What a modality implements: how its samples are stored, held on a device, and made into model inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

X = TypeVar("X")
X_co = TypeVar("X_co", covariant=True)


class Column(Protocol[X_co]):
    """Samples on disk, memory-mapped."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def take(self, rows: Tensor) -> X_co:
        """Return the batch at positions ``rows`` (n,) in storage form, on the CPU; a copy."""


class Held(Protocol[X_co]):
    """Samples held on a device, encoded once; a batch is an index selection."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def take(self, rows: Tensor) -> X_co:
        """Return the batch at positions ``rows`` (n,), in the form that triggers and superposition see."""

    def lengths(self) -> Tensor | None:
        """Return (N,) int64 lengths where a batch is padded to its longest row; None where all rows are alike."""


class Modality(ABC, Generic[X]):
    """One kind of sample. Registered as an instance by ``mbti_modalities``."""

    name: str
    summary: str

    @abstractmethod
    def write(self, batches: Iterable[X], folder: Path, total: int) -> None:
        """Store batches one after another as one column in ``folder``, without holding them all."""

    @abstractmethod
    def open(self, folder: Path) -> Column[X]:
        """Open what ``write`` stored, memory-mapped."""

    @abstractmethod
    def row_bytes(self, column: Column[X]) -> int:
        """Return about how many bytes a row of the column takes, for the choice of chunks."""

    @abstractmethod
    def join(self, parts: Sequence[X]) -> X:
        """Concatenate batches."""

    @abstractmethod
    def select(self, x: X, rows: Tensor) -> X:
        """Return the rows (positions) of a batch."""

    @abstractmethod
    def hold(self, column: Column[X], model: nn.Module | None, device: torch.device) -> Held[Any]:
        """Put a column on the device, encoded for the model where that is needed (token ids)."""

    @abstractmethod
    def to_input(self, x: Any, device: torch.device) -> Any:
        """Make the float batch (or token batch) that a model's ``forward`` takes, on the device."""
