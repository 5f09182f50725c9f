"""The clean budget: what a defense may ask of it."""

from __future__ import annotations

from mbti_core.contracts.defense import CleanSet, LabelledSet
from mbti_core.errors import ConfigError


def to_fit(clean: CleanSet, asker: str, purpose: str) -> LabelledSet:
    """Return the clean samples for fitting.

    Args:
        clean: The clean budget.
        asker: Who asks, for the message.
        purpose: What the samples are for, for the message.

    Raises:
        ConfigError: If there is none.
    """
    return _some(clean.fit, asker, purpose, "Raise the defense's 'budget'.")


def to_calibrate(clean: CleanSet, asker: str, purpose: str) -> LabelledSet:
    """Return the clean samples for thresholds, which are what fitting leaves of the reserve; as ``to_fit``."""
    hint = "Lower the defense's 'budget', or raise 'dataset.reserve': these samples are what fitting leaves of it."
    return _some(clean.calibrate, asker, purpose, hint)


def _some(rows: LabelledSet, asker: str, purpose: str, hint: str) -> LabelledSet:
    if not len(rows.index):
        raise ConfigError(f"{asker} needs at least 1 clean sample {purpose}, got 0.", hint)
    return rows
