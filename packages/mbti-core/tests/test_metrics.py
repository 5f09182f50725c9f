from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from mbti_core.contracts.metric import Outcomes
from mbti_core.results.metrics import asr, clean_accuracy, largest_share, robust_accuracy


def outcomes(
    clean: tuple[list[int], list[int]] = ([], []), triggered: tuple[list[int], list[int], list[int]] = ([], [], [])
) -> Outcomes:
    """clean = (prediction, truth); triggered = (prediction, truth, goal)."""
    columns = [np.array(column, dtype=np.int64) for column in (*clean, *triggered)]
    return Outcomes(*columns, classes=10)


def test_by_hand() -> None:
    o = outcomes(([0, 1, 2, 2], [0, 1, 1, 2]), ([0, 0, 0, 1, 5], [1, 2, 3, 1, 4], [0, 0, 0, 0, 0]))
    assert clean_accuracy(o) == 0.75
    assert asr(o) == 0.6  # rows 0, 1, 2
    assert robust_accuracy(o) == 0.2  # row 3
    assert largest_share(o) == 0.5


def test_agrees_with_sklearn_and_asr_plus_ra_stays_below_one() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 500)
    goal = (truth + 1) % 10  # all-to-all
    predicted = np.where(rng.random(500) < 0.5, goal, rng.integers(0, 10, 500))
    o = Outcomes(predicted, truth, predicted, truth, goal, 10)
    success, robust = asr(o), robust_accuracy(o)
    assert success == pytest.approx(accuracy_score(goal, predicted))
    assert robust == pytest.approx(accuracy_score(truth, predicted))
    assert (success or 0) + (robust or 0) <= 1 + 1e-9


def test_undefined_without_rows() -> None:
    empty = outcomes()
    assert [f(empty) for f in (clean_accuracy, asr, robust_accuracy, largest_share)] == [None] * 4


@pytest.mark.parametrize("metric", [asr, robust_accuracy])
def test_target_rows_among_the_triggered_are_refused(metric: object) -> None:
    unfiltered = outcomes(triggered=([0, 0, 0], [0, 1, 2], [0, 0, 0]))  # row 0 is of the target class
    with pytest.raises(ValueError, match="1 of 3"):
        metric(unfiltered)  # type: ignore[operator]  # pytest's parameters are objects


def test_largest_share_of_a_constant_predictor() -> None:
    assert largest_share(outcomes(([7] * 20, list(range(10)) * 2))) == 1.0


def test_needs_no_torch() -> None:
    code = (
        "import mbti_core.results.metrics, mbti_core.results.detection, sys; raise SystemExit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
