"""How often the defenses that judge are right: counted on the benches of examples/bench, for the plugin to tell.

mbti run examples/bench/image.yaml --store STORE    # and text.yaml, audio.yaml
python benchmarks/error_rates.py STORE packages/mbti-defenses/src/mbti_defenses/error_rates.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

PREFIX = "bench_"


def main(store: Path, target: Path) -> None:
    """Count, and write one object per modality and defense."""
    rows = [json.loads(file.read_text()) for file in sorted(store.glob("evaluate/*/*/row.json"))]
    judged = [r for r in rows if str(r.get("name", "")).startswith(PREFIX) and r.get("benign_alarm") is not None]

    def which(row: dict[str, Any]) -> tuple[str, str]:
        return row["modality"], row["defense"]

    found = [counted(list(members)) for _, members in groupby(sorted(judged, key=which), key=which)]
    target.write_text(json.dumps(found, indent=1) + "\n")


def counted(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the rates of one defense on one bench: a row holds a backdoored model and its benign twin."""
    first = rows[0]
    bad = [r["verdict_score"] for r in rows if r.get("verdict_score") is not None]
    good = [r["benign_verdict_score"] for r in rows if r.get("benign_verdict_score") is not None]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in bad for b in good]
    return {
        "defense": f"any/{first['defense']}",
        "modality": first["modality"],
        "bench": f"{first['model']} on {first['dataset']}, {first['attack']}",
        "backdoored": len(rows),
        "found": sum(bool(r["alarm"]) for r in rows),
        "benign": len(rows),
        "alarms": sum(bool(r["benign_alarm"]) for r in rows),
        "auc": round(sum(wins) / len(wins), 3) if wins else None,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
