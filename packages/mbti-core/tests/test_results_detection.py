from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score, roc_curve

from mbti_core.results.detection import der, detection_metrics, rir


def made_up(n: int = 400, seed: int = 0, levels: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kind = rng.choice([0, 1, 2], size=n, p=[0.8, 0.15, 0.05])
    scores = np.round(rng.normal(size=n) + (kind == 1), 1) if levels else rng.normal(size=n) + (kind == 1)
    weights = np.where(kind == 1, 1.0, 7.5)
    return scores, scores > 0.8, kind, weights


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("levels", [0, 12])
def test_agrees_with_sklearn(weighted: bool, levels: int) -> None:
    scores, flags, kind, weights = made_up(levels=levels)
    got = detection_metrics(scores, flags, kind, weights if weighted else None)
    s, f, y = scores[kind != 2], flags[kind != 2], kind[kind != 2] == 1
    w = weights[kind != 2] if weighted else None
    assert got["detection_accuracy"] == pytest.approx(accuracy_score(y, f, sample_weight=w))
    assert got["recall"] == pytest.approx(recall_score(y, f, sample_weight=w))
    assert got["detection_precision"] == pytest.approx(precision_score(y, f, sample_weight=w))
    assert got["f1"] == pytest.approx(f1_score(y, f, sample_weight=w))
    assert got["fpr"] == pytest.approx(1 - recall_score(~y, ~f, sample_weight=w))
    assert got["auroc"] == pytest.approx(roc_auc_score(y, s, sample_weight=w))
    fpr, tpr, _ = roc_curve(y, s, sample_weight=w, drop_intermediate=False)
    assert got["tpr_at_fpr_1"] == pytest.approx(tpr[fpr <= 0.01].max())
    assert got["tpr_at_fpr_5"] == pytest.approx(tpr[fpr <= 0.05].max())
    assert (got["n_scored"], got["n_poisoned_scored"]) == (len(y), y.sum())


def test_auroc_is_the_mann_whitney_share() -> None:
    scores, flags, kind, _ = made_up()
    p, n = scores[kind == 1][:, None], scores[kind == 0][None]
    assert detection_metrics(scores, flags, kind)["auroc"] == pytest.approx(np.mean((p > n) + 0.5 * (p == n)))


def test_weights_stand_for_repeated_rows() -> None:
    scores, flags, kind, _ = made_up(seed=3)
    times = np.where(kind == 0, 4, 1)
    drawn = detection_metrics(scores, flags, kind, times)
    whole = detection_metrics(*(np.repeat(column, times) for column in (scores, flags, kind)))
    for name in drawn.keys() - {"n_scored", "n_poisoned_scored"}:
        assert drawn[name] == pytest.approx(whole[name])
    assert drawn["n_scored"] == (kind != 2).sum()


def test_cover_rows_count_only_in_their_own_rate() -> None:
    kind = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    flags = np.array([False, False, True, True, True, True, True, False])
    got = detection_metrics(flags.astype(float), flags, kind)
    assert got["cover_flag_rate"] == 0.75
    assert got["detection_accuracy"] == got["detection_precision"] == got["auroc"] == 1.0
    assert got["fpr"] == 0.0
    assert got["n_scored"] == 4


def test_baselines_of_a_flag_nothing_rule() -> None:
    kind = np.array([1] * 10 + [0] * 90)
    got = detection_metrics(np.zeros(100), np.zeros(100, dtype=bool), kind)
    assert got["detection_accuracy"] == 0.9
    assert got["recall"] == got["detection_precision"] == got["f1"] == got["fpr"] == 0.0
    assert got["auroc"] == 0.5
    assert got["tpr_at_fpr_5"] == 0.0
    assert got["cover_flag_rate"] is None


@pytest.mark.parametrize("kind", [[0, 0, 0], [1, 1, 1], [], [2, 2]])
def test_a_single_kind_has_no_auroc(kind: list[int]) -> None:
    got = detection_metrics(np.arange(len(kind)), np.ones(len(kind), dtype=bool), np.array(kind, dtype=int))
    assert got["auroc"] is got["tpr_at_fpr_1"] is None
    assert got["fpr"] in (0.0, 1.0)


def test_a_method_that_only_decides() -> None:
    got = detection_metrics(None, [True, False], [1, 0])
    assert (got["f1"], got["auroc"]) == (1.0, None)


def test_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="one length"):
        detection_metrics([1.0, 2.0], [True], [1])
    with pytest.raises(ValueError, match="1 of 2"):
        detection_metrics([np.nan, 2.0], [True, False], [1, 0])


def test_ratings() -> None:
    assert der(0.99, 0.99, 0.9, 0.9) == rir(0.1, 0.1, 0.9, 0.9) == 0.5
    assert der(1.0, 0.0, 0.9, 0.9) == rir(0.0, 1.0, 0.9, 0.9) == 1.0
    assert der(0.95, 0.05, 0.92, 0.90) == pytest.approx(0.94)
    assert der(0.05, 0.95, 0.90, 0.92) == 0.5  # a worse ASR and a better accuracy are no credit
    assert rir(0.10, 0.80, 0.92, 0.90) == pytest.approx(0.84)
