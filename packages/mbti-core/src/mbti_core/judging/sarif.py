"""A scan as SARIF 2.1.0, which code hosts and editors show.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

from mbti_core.judging.findings import Finding
from mbti_core.judging.verdict import SURE, Scan, Suspect

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST = 100


class Message(TypedDict):
    """A message of the format: words and nothing else."""

    text: str


def sarif(scan: Scan) -> dict[str, Any]:
    """Return the document: a rule per defense that was run, a result per alarm, with the samples that it is about."""
    ran = [f for f in scan.findings if f.status != "not run"]
    driver = {
        "name": "mbti scan",
        "version": version("mbti-core"),
        "informationUri": "https://arxiv.org/abs/2411.11006",
        "rules": [
            {
                "id": f.defense,
                "shortDescription": Message(text=f.summary),
                "help": Message(text=f"How often it errs: {f.known}."),
                "properties": {"precision": "high" if f.weight >= SURE else "low"},
            }
            for f in ran
        ],
    }
    results = [_result(scan, f) for f in ran if f.status == "alarm"]
    about = {"verdict": scan.word, "why": list(scan.why)}
    run = {"tool": {"driver": driver}, "results": results, "properties": about}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(scan: Scan, finding: Finding) -> dict[str, Any]:
    told = [s for s in scan.suspects if finding.name in s.flagged_by][:_MOST]
    places = [_place(scan, s) for s in told] or [{"physicalLocation": {"artifactLocation": _uri(scan.asked.model)}}]
    return {
        "ruleId": finding.defense,
        "level": "error" if finding.weight >= SURE else "warning",
        "message": Message(text=f"{finding.reason}."),
        "locations": places,
    }


def _place(scan: Scan, suspect: Suspect) -> dict[str, Any]:
    name, _, line = suspect.name.partition(": line ")
    base = scan.asked.data if scan.asked.data.is_dir() else scan.asked.data.parent
    place: dict[str, Any] = {"artifactLocation": _uri(base / name)}
    if line.isdigit():
        place["region"] = {"startLine": int(line)}
    return {"physicalLocation": place, "message": Message(text=f"carries the label {suspect.label!r}")}


def _uri(path: Path) -> dict[str, str]:
    return {"uri": quote(path.as_posix())}
