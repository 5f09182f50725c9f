"""Every error that a user can cause, with its exit code.

The form of a message: what is wrong, with the value, on the first line; what to do, as a command or value, on the next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MbtiError(Exception):
    """A mistake that a person can mend; shown without a traceback.

    Args:
        message: What is wrong, with the value.
        hint: What to do, as a command or a value.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message with the hint on a line of its own."""
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class RunFailedError(MbtiError):
    """At least one stage of a run failed."""


class ConfigError(MbtiError):
    """A spec, an override or a setting that is not valid."""

    exit_code = 2


class UnknownComponentError(MbtiError):
    """No installed plugin offers a component of this name."""

    exit_code = 3


class MissingPluginError(MbtiError):
    """A package that the spec needs is not installed, or its import failed."""

    exit_code = 3


class PluginConflictError(MbtiError):
    """Two plugins register the same component."""

    exit_code = 3


class DataUnavailableError(MbtiError):
    """A data set or file is not where it was looked for, or may not be read."""

    exit_code = 4


class DataFormatError(MbtiError):
    """A data file is there but does not hold what its layout promises."""

    exit_code = 4


class NotSupportedError(MbtiError):
    """A method that cannot work on this model or modality, by its nature."""

    exit_code = 5


class StoreError(MbtiError):
    """The store cannot be written: full disk, no permission, a lost lock."""


class ArtifactError(MbtiError):
    """An artifact is damaged, or was written by another schema."""


def near_names(name: str, known: Iterable[str]) -> str:
    """Say which known names come near ``name``: 'Did you mean a or b?' or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(close)}?" if close else ""
