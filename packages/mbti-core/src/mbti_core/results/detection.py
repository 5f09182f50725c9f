"""How well a detector finds poisoned rows, and what a repair gains.

Positives are rows of kind 1 (poisoned). Rows of kind 2 (cover: trigger, own label) count only in ``cover_flag_rate``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
POISONED, COVER = 1, 2
_SLACK = 1e-12  # sums of weights round; an FPR of exactly 1 % must count as at most 1 %


def detection_metrics(
    scores: ArrayLike | None, flags: ArrayLike, kind: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float | int | None]:
    """Compare flags and scores with the truth.

    Args:
        scores: (n,) finite, larger is more suspicious; None for a method that only decides.
        flags: (n,) bool, the method's own decision.
        kind: (n,) 0 clean, 1 poisoned, 2 cover.
        weights: (n,) inverse sampling probabilities of the rows; None where every row was scored.

    Returns:
        ``detection_accuracy``, ``recall``, ``detection_precision``, ``f1``, ``fpr`` (0 where a denominator is 0);
        ``auroc`` with ties counted half, ``tpr_at_fpr_1`` and ``tpr_at_fpr_5``, the largest TPR at an FPR of at most
        1 % and 5 % on these rows (None without scores, positives or negatives); ``cover_flag_rate`` (None without
        cover rows); ``n_scored`` and ``n_poisoned_scored``, plain counts without cover rows.

    Raises:
        ValueError: If the lengths differ or a score is not finite.
    """
    truth = np.asarray(kind)
    flagged = np.asarray(flags, dtype=bool)
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    value = None if scores is None else np.asarray(scores, dtype=np.float64)
    lengths = {len(column) for column in (truth, flagged, weight, value) if column is not None}
    if len(lengths) > 1:
        raise ValueError(f"expected scores, flags, kind and weights of one length, got lengths {sorted(lengths)}")
    counted = truth != COVER
    positive = truth[counted] == POISONED
    result: dict[str, float | int | None] = {
        **_decisions(flagged[counted], positive, weight[counted]),
        **_ranking(None if value is None else value[counted], positive, weight[counted]),
        "cover_flag_rate": None if counted.all() else _share(weight[~counted & flagged].sum(), weight[~counted].sum()),
        "n_scored": int(counted.sum()),
        "n_poisoned_scored": int(positive.sum()),
    }
    return result


def der(asr_before: float, asr_after: float, acc_before: float, acc_after: float) -> float:
    """Return the defense effectiveness rating in [0, 1]; 0.5 means no effect. All arguments are shares.

    Source: Zhu et al., Enhancing fine-tuning based backdoor defense with sharpness-aware minimization, ICCV 2023.
    """
    return (max(0.0, asr_before - asr_after) - max(0.0, acc_before - acc_after) + 1) / 2


def rir(ra_before: float, ra_after: float, acc_before: float, acc_after: float) -> float:
    """Return the robustness improvement rating in [0, 1]; 0.5 means no effect. All arguments are shares."""
    return (max(0.0, ra_after - ra_before) - max(0.0, acc_before - acc_after) + 1) / 2


def _decisions(flagged: Bools, positive: Bools, weight: Floats) -> dict[str, float]:
    hit, miss = weight[flagged & positive].sum(), weight[~flagged & positive].sum()
    false, right = weight[flagged & ~positive].sum(), weight[~flagged & ~positive].sum()
    return {
        "detection_accuracy": _share(hit + right, weight.sum()),
        "recall": _share(hit, hit + miss),
        "detection_precision": _share(hit, hit + false),
        "f1": _share(2 * hit, 2 * hit + miss + false),
        "fpr": _share(false, false + right),
    }


def _ranking(value: Floats | None, positive: Bools, weight: Floats) -> dict[str, float | None]:
    if value is not None and not np.isfinite(value).all():
        raise ValueError(f"expected finite scores, got {int((~np.isfinite(value)).sum())} of {len(value)} that are not")
    if value is None or not positive.any() or positive.all():
        return {"auroc": None, "tpr_at_fpr_1": None, "tpr_at_fpr_5": None}
    tpr, fpr = _roc(value, positive, weight)
    return {
        # Trapezoids: rows of one score form one slanted step, which counts ties half.
        "auroc": min(1.0, float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))),
        "tpr_at_fpr_1": float(tpr[fpr <= 0.01 + _SLACK].max()),
        "tpr_at_fpr_5": float(tpr[fpr <= 0.05 + _SLACK].max()),
    }


def _roc(value: Floats, positive: Bools, weight: Floats) -> tuple[Floats, Floats]:
    """Return TPR and FPR when everything from the k highest distinct scores on is flagged, k = 0, 1, ..."""
    _, level = np.unique(-value, return_inverse=True)
    hits = np.cumsum(np.bincount(level, weights=weight * positive))
    alarms = np.cumsum(np.bincount(level, weights=weight * ~positive))
    return np.append(0.0, hits / hits[-1]), np.append(0.0, alarms / alarms[-1])


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
