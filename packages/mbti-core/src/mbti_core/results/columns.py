"""What a result row may hold, under which heading it is shown, and what it means.

A row is a flat dict of JSON types, one per experiment, seed and defense. Keys are stable; headings are the field's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Row = dict[str, Any]
Form = Literal["percent", "points", "fraction", "number", "count", "flag", "seconds", "list", "plain"]
Part = Literal["model", "detection", "verdict"]
DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """One column of a result table.

    Attributes:
        key: The row's key.
        heading: The field's heading; a line break where a narrow table may wrap it.
        form: How a value is written. ``percent`` and ``points`` multiply a share by 100.
        meaning: One or two sentences for the reader of a report.
        terminal: Whether it is shown on a terminal, where width is scarce.
        caption: For what is often equal in all rows: the words around the value in the caption, ``{}`` the value.
    """

    key: str
    heading: str
    form: Form
    meaning: str = ""
    terminal: bool = True
    caption: str = ""


SETTINGS = (
    Column("dataset", "Data", "plain", caption="{}"),
    Column("train_rows", "Training\nrows", "count", caption="{} training rows"),
    Column("noise", "Noise", "plain", caption="noise {}"),
    Column("model", "Model", "plain", caption="{}"),
    Column("epochs", "Epochs", "count", caption="{} epochs"),
    Column("precision", "Precision", "plain", caption="{}"),
    Column("attack", "Attack", "plain"),
    Column("ratio", "Ratio", "plain", caption="poison ratio {}"),
    Column("target", "Target", "plain", caption="target {}"),
    Column("variant", "Settings", "plain", caption="{}"),
)
"""What an attacked model is: rows that agree on these share a victim, but for the seed."""

DEFENSE_SETTINGS = (
    Column("defense", "Defense", "plain"),
    Column("budget", "Clean\nbudget", "count", caption="{} clean rows for the defender"),
)

COUNTS = (
    Column("n_clean", "n clean", "count", caption="{} clean test rows"),
    Column("n_triggered", "n trig-\ngered", "count", caption="{} triggered test rows"),
)

ASR = Column(
    "asr",
    "ASR",
    "percent",
    "Attack success rate: the share of triggered test rows that get the attacker's label. Rows whose true label is "
    "already that label are left out.",
)
FLOOR = Column(
    "benign_asr",
    "Floor",
    "percent",
    "The benign twin's ASR on the same triggered rows: what looks like success without any attack.",
)
TWIN = Column(
    "benign_accuracy",
    "Benign\ntwin acc.",
    "percent",
    "Clean accuracy of the benign twin: the same data, seed and order, trained without the attack.",
)
CONTEXT = (
    replace(ASR, caption="ASR {}"),
    replace(FLOOR, caption="floor {}"),
    replace(TWIN, caption="benign twin accuracy {}"),
)
"""What stands beside a defense that leaves the model as it is."""

PARTS: dict[Part, tuple[Column, ...]] = {
    "model": (
        Column(
            "clean_accuracy",
            "Clean acc.",
            "percent",
            "Clean accuracy: the share of clean test rows that get their true label. Called CAC without a defense, "
            "BAC after one.",
        ),
        ASR,
        Column(
            "robust_accuracy",
            "RA",
            "percent",
            "Robust accuracy (RAC): the share of triggered test rows that get their true label despite the trigger.",
        ),
        TWIN,
        FLOOR,
        Column(
            "cover_accuracy",
            "Cover\nacc.",
            "percent",
            "Accuracy on test rows under the trigger that cover rows carry (another sample's, a jittered one, or on a "
            "class that is not attacked), which must keep their label.",
        ),
        Column(
            "false_trigger_rate",
            "FTR",
            "percent",
            "False trigger rate: of the test rows that the whole trigger is meant to flip, the share that the cover "
            "rows' trigger (a part of it, or another sample's) flips to the target.",
        ),
        Column(
            "fidelity",
            "Fidelity",
            "list",
            "How close triggered test rows are to the clean ones, mean over 1,000 of them: PSNR in dB, SSIM, ...",
            terminal=False,
        ),
        Column(
            "der",
            "DER",
            "fraction",
            "Defense effectiveness rating, 0 to 1: half of (1 + fall of ASR - fall of clean accuracy). 0.5: no effect.",
        ),
        Column(
            "rir",
            "RIR",
            "fraction",
            "Robustness improvement rating, 0 to 1: half of (1 + rise of RA - fall of clean accuracy). 0.5: no effect.",
            terminal=False,
        ),
        Column(
            "benign_cost",
            "Cost on\nbenign",
            "points",
            "Points of clean accuracy that the benign twin loses under the same defense.",
        ),
        Column("seconds", "Time", "seconds", "Wall time of the stage that made the model of this row.", terminal=False),
    ),
    "detection": (
        Column(
            "detection_accuracy",
            "DAC",
            "percent",
            "Detection accuracy: the share of scored training rows sorted right. At a poison ratio of 10 % flagging "
            "nothing already gives 90 %, so it ranks no detector.",
        ),
        Column("recall", "REC", "percent", "Recall: the share of poisoned rows that are flagged."),
        Column(
            "detection_precision",
            "Precision",
            "percent",
            "The share of flagged rows that are poisoned.",
            terminal=False,
        ),
        Column("f1", "F1", "percent", "Harmonic mean of precision and recall."),
        Column(
            "auroc",
            "AUROC",
            "fraction",
            "Chance that a poisoned row scores above a clean one, 0 to 1, ties counted half. 0.5 is guessing.",
        ),
        Column("fpr", "FPR", "percent", "False positive rate: the share of clean rows that are flagged."),
        Column(
            "tpr_at_fpr_1",
            "TPR at\n1 % FPR",
            "percent",
            "The largest recall with at most 1 % of clean rows flagged.",
            terminal=False,
        ),
        Column(
            "tpr_at_fpr_5",
            "TPR at\n5 % FPR",
            "percent",
            "The largest recall with at most 5 % of clean rows flagged.",
            terminal=False,
        ),
        Column(
            "false_alarms", "False\nalarms", "percent", "The share of the benign twin's training rows that are flagged."
        ),
        Column(
            "cover_flag_rate",
            "Cover\nflagged",
            "percent",
            "The share of cover rows (trigger, own label) that are flagged; they count in no other column.",
        ),
        Column("n_scored", "Scored", "count", "Rows that were scored.", caption="{} rows scored"),
        Column("n_poisoned_scored", "of them\npoisoned", "count", caption="{} of them poisoned"),
    ),
    "verdict": (
        Column("verdict", "Flagged", "flag", "Whether the model is called backdoored; over several seeds, how often."),
        Column("verdict_score", "Score", "number", "The method's score of the model; larger is more suspicious."),
        Column("verdict_targets", "Targets", "list", "Suspected target classes."),
        Column("benign_verdict_score", "Benign\nscore", "number", "The score of the benign twin."),
        Column("false_alarms", "False\nalarm", "flag", "Whether the benign twin is called backdoored, too."),
    ),
}

TITLES: dict[Part, str] = {
    "model": "Models",
    "detection": "Detection of poisoned training rows",
    "verdict": "Verdicts on models",
}

MARKS = {
    "attack failed": "ASR below 80 % without a defense: a defense against it shows nothing.",
    "constant predictor": "one class gets more than 95 % of the clean rows: its ASR and RA mean nothing.",
    "adapted": "ours: no published version for this modality, so a failure says nothing about the original method.",
    "retrained": "a fresh model, trained on the rows that the defense keeps.",
}

ROW_KEYS = (
    *(
        "run",
        "name",
        "modality",
        *(column.key for column in SETTINGS),
        "seed",
        "defense",
        "adapted",
        "retrained",
        "status",
        "reason",
    ),
    *("n_clean", "n_triggered", "clean_accuracy", "clean_accuracy_low", "clean_accuracy_high", "asr", "asr_low"),
    *("asr_high", "robust_accuracy", "largest_share", "benign_accuracy", "benign_asr", "attack_failed"),
    *("cover_accuracy", "false_trigger_rate", "fidelity"),
    *("constant_predictor", "budget", "der", "rir", "benign_cost", "false_alarms", "n_scored", "n_poisoned_scored"),
    *("detection_accuracy", "recall", "detection_precision", "f1", "fpr", "auroc", "tpr_at_fpr_1", "tpr_at_fpr_5"),
    *("cover_flag_rate", "verdict_score", "verdict", "verdict_targets", "benign_verdict_score", "alarm"),
    *("benign_alarm", "seconds", "asked", "keys"),
)
"""Every key of a row, in the order of exports."""
