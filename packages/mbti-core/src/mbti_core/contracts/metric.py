"""What a metric gets: predictions beside the truth, for clean and for triggered test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Outcomes:
    """What a model answered on the test sets.

    Attributes:
        clean_prediction: (N,) on the clean test set.
        clean_truth: (N,) true labels there.
        triggered_prediction: (M,) on the triggered test set; empty without an attack.
        triggered_truth: (M,) true labels there.
        triggered_goal: (M,) the labels that the attacker wants there.
        classes: Number of classes.
    """

    clean_prediction: Ints
    clean_truth: Ints
    triggered_prediction: Ints
    triggered_truth: Ints
    triggered_goal: Ints
    classes: int


Metric = Callable[[Outcomes], float | None]
"""A share in [0, 1], or None where it is not defined (no triggered rows)."""
