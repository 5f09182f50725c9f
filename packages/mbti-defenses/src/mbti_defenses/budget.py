"""The clean budget: what a defense may ask of it."""

from __future__ import annotations

from mbti_core.contracts.defense import LabelledSet
from mbti_core.errors import ConfigError


def demand(rows: LabelledSet, asker: str, purpose: str) -> LabelledSet:
    """Return ``rows``.

    Args:
        rows: A part of the clean budget.
        asker: Who asks, for the message.
        purpose: What the samples are for, for the message.

    Raises:
        ConfigError: If there is none.
    """
    if not len(rows.index):
        raise ConfigError(f"{asker} needs at least 1 clean sample {purpose}, got 0.", "Raise the defense's 'budget'.")
    return rows
