"""From what the defenses say to one verdict with its reasons, and the samples to look at first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from mbti_core.judging.case import Asked, Case
from mbti_core.judging.findings import Finding

Word = Literal["suspicious", "not sure", "nothing found"]
EXIT = {"suspicious": 6, "not sure": 0, "nothing found": 0}
"""Exit codes of ``mbti scan``."""
SURE, CALM = 10.0, 3.0
"""From so many times likelier on a model is called suspicious; or, the other way round, nothing is found."""


@dataclass(frozen=True)
class Suspect:
    """A sample, and which defenses flag it.

    Attributes:
        name: Where a person finds it.
        label: Name of the class that it carries.
        row: Its position among the samples.
        rank: Mean place among the scored samples over the defenses that scored it, in [0, 1]; 1 is the most suspicious.
        flagged_by: Names of the defenses.
    """

    name: str
    label: str
    row: int
    rank: float
    flagged_by: tuple[str, ...]


@dataclass(frozen=True)
class Scan:
    """What ``mbti scan`` found.

    Attributes:
        word: The verdict.
        why: Its reasons, a sentence each.
        findings: What each defense says.
        suspects: All scored samples, the most suspicious first.
        case: What was looked at.
        asked: What was asked for.
    """

    word: Word
    why: tuple[str, ...]
    findings: tuple[Finding, ...]
    suspects: tuple[Suspect, ...]
    case: Case
    asked: Asked

    @property
    def exit_code(self) -> int:
        """6 for ``suspicious``, else 0."""
        return EXIT[self.word]

    @property
    def ran(self) -> tuple[Finding, ...]:
        """The defenses that were run, those with an alarm first."""
        return tuple(f for f in self.findings if f.status != "not run")

    @property
    def not_run(self) -> tuple[str, ...]:
        """The others by reason: their names, and why."""
        left = [f for f in self.findings if f.status == "not run"]
        why = dict.fromkeys(f.reason for f in left)
        return tuple(f"{', '.join(f.name for f in left if f.reason == reason)}: {reason}" for reason in why)

    def to_json(self, most: int = 100) -> dict[str, Any]:
        """Return the scan as plain data.

        Args:
            most: How many samples are listed.
        """
        case, asked = self.case, self.asked
        return {
            "verdict": self.word,
            "why": list(self.why),
            "model": {"path": str(asked.model), "arch": case.plan.info.arch, "classes": list(case.classes)},
            "data": {"path": str(asked.data), "samples": len(case.split), "accuracy": case.accuracy},
            "clean": None if case.clean is None else {"path": str(asked.clean), "samples": clean_rows(case)},
            "remarks": list(case.remarks),
            "findings": [_finding(f) for f in self.findings],
            "suspects": [
                {"name": s.name, "label": s.label, "rank": s.rank, "flagged_by": list(s.flagged_by)}
                for s in self.suspects[:most]
            ],
        }


def judge(case: Case, asked: Asked, findings: Sequence[Finding]) -> Scan:
    """Return the verdict: what each defense says weighs as much as it tells backdoored models from benign ones."""
    word, why = _verdict(findings)
    order = {"alarm": 0, "quiet": 1, "not run": 2}
    told = sorted(findings, key=lambda finding: order[finding.status])
    return Scan(word, why, tuple(told), tuple(_ranked(case, findings)), case, asked)


def clean_rows(case: Case) -> int:
    """Return how many trusted samples there are."""
    return 0 if case.clean is None else len(case.clean.fit.y) + len(case.clean.calibrate.y)


def _verdict(findings: Sequence[Finding]) -> tuple[Word, tuple[str, ...]]:
    """Weigh what was said, as if the defenses erred independently of each other."""
    ran = [f for f in findings if f.status != "not run"]
    weight = math.prod(f.weight for f in ran)
    alarms, quiet = [f for f in ran if f.status == "alarm"], [f for f in ran if f.status == "quiet"]
    if weight >= SURE and alarms:
        return "suspicious", _reasons(alarms, f"{weight:.0f} times likelier of a backdoored model than of a benign one")
    unmeasured = [f for f in alarms if f.rates is None]
    agreed = sorted({c for f in unmeasured for c in f.classes if sum(c in g.classes for g in unmeasured) > 1})
    if agreed:
        names = " and ".join(f.name for f in unmeasured if agreed[0] in f.classes)
        told = "how often each errs was never measured"
        return "suspicious", (f"{names} suspect the same class, {agreed[0]!r}; {told}.",)
    if weight <= 1 / CALM:
        return "nothing found", _reasons(
            quiet, f"{1 / weight:.0f} times likelier of a benign model than of a backdoored one"
        )
    if not ran:
        return "not sure", ("No defense that judges could be run.",)
    return "not sure", _reasons(
        alarms or quiet, "together that says little: each errs often, or nobody knows how often"
    )


def _reasons(told: Sequence[Finding], together: str) -> tuple[str, ...]:
    return (*(f"{f.name}: {f.reason} ({f.known})." for f in told), f"In all: {together}.")


def _ranked(case: Case, findings: Sequence[Finding]) -> list[Suspect]:
    n = len(case.split)
    total, times = torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    flagged: list[list[str]] = [[] for _ in range(n)]
    alarmed = torch.zeros(n, dtype=torch.int64)
    for f in findings:
        if not len(f.rows):
            continue
        places = torch.argsort(torch.argsort(f.scores, stable=True)).double() / max(1, len(f.rows) - 1)
        total[f.rows] += places
        times[f.rows] += 1
        alarmed[f.rows] += f.flags.long() * (2 if f.status == "alarm" else 1)
        for row in f.rows[f.flags].tolist():
            flagged[row].append(f.name)
    rank = total / times.clamp_min(1)
    scored = torch.nonzero(times).flatten()
    order = sorted(scored.tolist(), key=lambda row: (-int(alarmed[row]), -float(rank[row]), row))
    labels = case.split.labels.tolist()
    return [
        Suspect(case.names[row], case.classes[labels[row]], row, float(rank[row]), tuple(flagged[row])) for row in order
    ]


def _finding(f: Finding) -> dict[str, Any]:
    rates = (
        None
        if f.rates is None
        else {name: getattr(f.rates, name) for name in ("bench", "backdoored", "found", "benign", "alarms", "auc")}
    )
    return {
        "defense": f.defense,
        "looks_for": f.summary,
        "status": f.status,
        "reason": f.reason,
        "classes": list(f.classes),
        "weight": f.weight,
        "rates": rates,
        "scored": len(f.rows),
        "flagged": int(f.flags.sum()),
        "triggers": list(f.triggers),
        "seconds": f.seconds,
    }
