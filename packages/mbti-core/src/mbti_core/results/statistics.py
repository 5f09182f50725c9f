"""Intervals of shares, and spreads over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    Args:
        successes: How many of ``n`` trials succeeded.
        n: Number of trials, at least 1.
        confidence: Coverage in (0, 1).

    Returns:
        Lower and upper bound in [0, 1].

    Raises:
        ValueError: If ``n`` is below 1 or ``successes`` is outside [0, n].

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the bound is exact; rounding would leave it at 1e-17 or above 1.
    return (0.0 if successes == 0 else center - half), (1.0 if successes == n else center + half)


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean over seeds and the sample standard deviation (n - 1), which is None for a single seed.

    Args:
        values: One value per seed, at least one.

    Raises:
        ValueError: If there is no value.
    """
    if not values:
        raise ValueError("expected at least one value, got none")
    return fmean(values), stdev(values) if len(values) > 1 else None
