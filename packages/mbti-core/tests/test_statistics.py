from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from mbti_core.results.statistics import mean_sd, wilson


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (9870, 10000), (1, 9000)])
def test_wilson_agrees_with_scipy(successes: int, n: int, confidence: float) -> None:
    expected = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_stays_in_the_unit_interval() -> None:
    for n in (1, 3, 1000):
        for successes in (0, n):
            low, high = wilson(successes, n)
            assert 0.0 <= low <= successes / n <= high <= 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} of {n}"):
        wilson(successes, n)


def test_mean_sd() -> None:
    values = [0.91, 0.93, 0.98]
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(np.mean(values))
    assert sd == pytest.approx(np.std(values, ddof=1))
    assert mean_sd([0.5]) == (0.5, None)
    with pytest.raises(ValueError, match="at least one"):
        mean_sd([])
