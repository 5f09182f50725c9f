"""What a data set implements: open a part of the original public layout, lazily."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from mbti_core.contracts.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from mbti_core.contracts.model import InputSpec

X = TypeVar("X")
Part = Literal["train", "test", "validation"]


@dataclass(frozen=True)
class Download:
    """A published file: a zip or tar archive is unpacked, any other file kept under its name.

    Attributes:
        url: Where it is.
        checksum: ``sha256:...`` or ``md5:...``.
        size: Bytes.
        strip: Folder inside the archive whose content is taken, and nothing beside it; '' takes everything.
        into: Folder below that of the data set where it goes; '' is that folder itself.
    """

    url: str
    checksum: str
    size: int
    strip: str = ""
    into: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a data set comes from; what ``mbti fetch`` goes by.

    Attributes:
        folder: Folder below the data root that it fills, in the layout that the loader reads.
        downloads: What its publishers offer to a program; none where only a person can get it.
        by_hand: What a person does, as a sentence.
    """

    folder: str
    downloads: tuple[Download, ...] = ()
    by_hand: str = ""


@dataclass(frozen=True)
class Card:
    """What a person should know about a data set.

    Attributes:
        classes: Class names, in label order; empty where only the files say (then ``DatasetSource.classes`` does).
        input: Shape and range of one sample in storage form.
        licence: Licence or terms, as its publishers state them.
        citation: One line.
        facts: Facts that later stages need, by name (``{"rate": 16000}`` for sound); part of the prepared artifact.
        counts: Rows of the original by part; empty where only the files say.
        origin: Where it comes from; None for what is embedded, or a person's own.
    """

    classes: Sequence[str]
    input: InputSpec
    licence: str
    citation: str
    facts: dict[str, Any]
    counts: dict[Part, int] = field(default_factory=dict)
    origin: Origin | None = None


@dataclass(frozen=True)
class Records(Generic[X]):
    """One part of a data set before it is stored.

    Attributes:
        y: (N,) int64 labels.
        read: Takes ascending positions (n,) and returns that batch in storage form; called in chunks.
    """

    y: np.ndarray[Any, np.dtype[np.int64]]
    read: Callable[[np.ndarray[Any, np.dtype[np.int64]]], X]


class DatasetSource(Settings, ABC, Generic[X]):
    """A data set in its original public layout, read from a local folder; its fields are its settings."""

    folder: str = ""
    """Folder below the data root, if not the usual one; '' takes the component's own."""

    @abstractmethod
    def card(self) -> Card:
        """Describe the data set without reading it."""

    def classes(self, root: Path) -> Sequence[str]:
        """Return the class names in label order; by default those on the card.

        Raises:
            DataUnavailableError: If they stand in files that are missing.
        """
        del root
        return self.card().classes

    @abstractmethod
    def files(self, root: Path) -> list[Path]:
        """List the files that will be read, below the data root; their digest becomes part of the key.

        Returns an empty list for an embedded data set.

        Raises:
            DataUnavailableError: If the data set is not there; says where it looked and what to do.
        """

    @abstractmethod
    def load(self, part: Part, root: Path) -> Records[X] | None:
        """Open a part; None where the data set has no official ``validation`` part.

        Raises:
            DataUnavailableError: If files are missing or may not be read.
            DataFormatError: If a file does not hold what the layout promises.
        """

    @abstractmethod
    def fixture(self, root: Path) -> None:
        """Write a tiny copy in the real on-disk layout below ``root``, for tests; nothing for an embedded data set."""
