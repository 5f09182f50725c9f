"""Measure a model, or a defense, on the test sets: one flat row of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.metric import Outcomes
from mbti_core.data.artifacts import save_array, save_json
from mbti_core.data.split import Split
from mbti_core.plugins.adapters import Adapters
from mbti_core.results.alarm import raises_alarm
from mbti_core.results.detection import der, detection_metrics, rir
from mbti_core.results.statistics import wilson
from mbti_core.stages.defend import DefenseResult
from mbti_core.stages.train import hold
from mbti_core.training.subject import Subject

Row = dict[str, Any]
Metrics = Mapping[str, Callable[[Outcomes], float | None]]
_ATTACK_FAILED, _CONSTANT = 0.8, 0.95
_COMPARED = 1000  # triggered rows that are compared with the clean ones


@dataclass(frozen=True)
class Evaluation:
    """A row of results with the predictions behind it."""

    row: Row
    predictions: Mapping[str, Tensor]

    def save(self, folder: Path) -> None:
        """Write ``row.json`` and the predictions."""
        save_json(folder / "row.json", self.row)
        for name, values in self.predictions.items():
            save_array(folder, name, values)


def predictions(subject: Subject, tests: Mapping[str, Split[Any]]) -> dict[str, Tensor]:
    """Return the predicted class of every row of every test set, by name."""
    return {part: subject.predict(hold(split, subject.model, subject.device).x) for part, split in tests.items()}


def measure(found: Mapping[str, Tensor], tests: Mapping[str, Split[Any]], classes: int, metrics: Metrics) -> Row:
    """Return every metric, with Wilson intervals for clean accuracy and ASR, and the two warnings.

    Args:
        found: Predictions on ``clean`` and, under an attack, ``triggered`` and perhaps ``cover``.
        tests: The same test sets; labels of ``triggered`` are what the attacker wants.
        classes: Number of classes.
        metrics: Functions by name.
    """
    clean, triggered = tests["clean"], tests.get("triggered")
    none = torch.zeros(0, dtype=torch.int64)
    outcomes = Outcomes(
        found["clean"].numpy(),
        clean.truth.numpy(),
        found.get("triggered", none).numpy(),
        (triggered.truth if triggered else none).numpy(),
        (triggered.labels if triggered else none).numpy(),
        classes,
    )
    row: Row = {name: metric(outcomes) for name, metric in metrics.items()}
    row["n_clean"], row["n_triggered"] = len(outcomes.clean_truth), len(outcomes.triggered_truth)
    for metric, n in (("clean_accuracy", row["n_clean"]), ("asr", row["n_triggered"])):
        low, high = wilson(round(row[metric] * n), n) if row.get(metric) is not None and n else (None, None)
        row[f"{metric}_low"], row[f"{metric}_high"] = low, high
    row |= {"cover_accuracy": None, "false_trigger_rate": None, "fidelity": None}
    if triggered is not None and len(found.get("cover", none)):
        row |= _of_cover(found["cover"], tests["cover"], triggered)
    row["constant_predictor"] = row["largest_share"] is not None and row["largest_share"] > _CONSTANT
    return row


def _of_cover(found: Tensor, cover: Split[Any], triggered: Split[Any]) -> Row:
    """Return how often cover rows keep their label, and how often those that the whole trigger flips are flipped."""
    goal = dict(zip(triggered.index.tolist(), triggered.labels.tolist(), strict=True))
    flipped = [p == goal[i] for i, p in zip(cover.index.tolist(), found.tolist(), strict=True) if i in goal]
    return {
        "cover_accuracy": float((found == cover.labels).double().mean()),
        "false_trigger_rate": sum(flipped) / len(flipped) if flipped else None,
    }


def beside_twin(row: Row, twin: Row | None) -> Row:
    """Return what the benign twin says: its accuracy, its ASR (the floor), and whether the attack failed."""
    failed = row["asr"] is not None and row["asr"] < _ATTACK_FAILED
    if twin is None:
        return {"benign_accuracy": None, "benign_asr": None, "attack_failed": failed}
    return {"benign_accuracy": twin["clean_accuracy"], "benign_asr": twin["asr"], "attack_failed": failed}


def fidelity(tests: Mapping[str, Split[Any]], adapters: Adapters) -> dict[str, float] | None:
    """Return how close triggered test rows are to the clean ones: each measure's mean over the first rows."""
    clean, triggered = tests["clean"], tests["triggered"]
    place = {index: at for at, index in enumerate(clean.index.tolist())}
    rows = torch.arange(min(_COMPARED, len(triggered)))
    same = torch.tensor([place[index] for index in triggered.index[rows].tolist()], dtype=torch.int64)
    found = adapters.fidelity(clean.take(same), triggered.take(rows), clean.modality.name) if len(rows) else {}
    return {name: float(values.double().mean()) for name, values in found.items()} or None


def measure_defense(
    result: DefenseResult, row: Row, before: Row, suspects: Split[Any], twin: Row | None, benign: Row | None
) -> Row:
    """Return what is said of a defense: effect, detection against the ground truth, and its cost on the benign twin.

    Args:
        result: What the defense gave.
        row: Metrics behind the defense.
        before: The same model's row without it.
        suspects: The training rows with their kinds.
        twin: The benign twin's row without the defense.
        benign: The benign twin's row with it.
    """
    more: Row = {"budget": result.facts["budget"], "attack_failed": before["attack_failed"]}
    changed = bool(result.model) or "clean_prediction" in result.arrays
    if changed and before["asr"] is not None:
        more["der"] = der(before["asr"], row["asr"], before["clean_accuracy"], row["clean_accuracy"])
        more["rir"] = rir(
            before["robust_accuracy"], row["robust_accuracy"], before["clean_accuracy"], row["clean_accuracy"]
        )
    if changed and twin and benign and benign["status"] == "ok":
        more["benign_cost"] = twin["clean_accuracy"] - benign["clean_accuracy"]
    if "scores" in result.arrays:
        a = result.arrays
        more |= detection_metrics(
            a["scores"].numpy(), a["flags"].numpy(), suspects.kind[a["rows"]].numpy(), a["weights"].numpy()
        )
        n, share = len(a["flags"]), float(a["weights"][a["flags"]].sum() / a["weights"].sum())
        usual = result.facts.get("expected", 0.0), result.facts.get("calibrated_on", 0)
        more["alarm"] = raises_alarm(round(n * share), n, *usual)
    if verdict := result.facts.get("verdict"):
        more |= {
            "verdict_score": verdict["score"],
            "verdict": verdict["backdoored"],
            "verdict_targets": list(verdict["targets"]),
            "alarm": verdict["backdoored"],
        }
    if benign and benign["status"] == "ok":
        more["false_alarms"] = float(benign["verdict"]) if benign.get("verdict") is not None else benign.get("fpr")
        more["benign_verdict_score"] = benign.get("verdict_score")
        more["benign_alarm"] = benign.get("alarm")
    return more
