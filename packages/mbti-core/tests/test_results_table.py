from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import binomtest

from mbti_core.results.columns import DASH
from mbti_core.results.table import ResultTable


def row(**over: Any) -> dict[str, Any]:
    base = {
        **{
            "run": "3fa91c02",
            "name": "toy",
            "modality": "toy",
            "dataset": "blobs",
            "train_rows": 1000,
            "noise": "none",
        },
        **{"attack": "stamp", "ratio": 0.1, "target": 0, "model": "mlp", "epochs": 5, "seed": "0", "precision": "fp32"},
        **{"defense": "none", "adapted": False, "status": "ok", "reason": None, "n_clean": 1000, "n_triggered": 900},
        **{"benign_accuracy": 0.93, "benign_asr": 0.02, "attack_failed": False, "constant_predictor": False},
    }
    return base | over


def victim(**over: Any) -> dict[str, Any]:
    low, high = binomtest(891, 900).proportion_ci(method="wilson")
    return row(clean_accuracy=0.92, asr=0.99, asr_low=low, asr_high=high, robust_accuracy=0.01) | over


def repaired(**over: Any) -> dict[str, Any]:
    return row(defense="ft", budget=50, clean_accuracy=0.9, asr=0.05, der=0.96, benign_cost=0.015) | over


def detector(**over: Any) -> dict[str, Any]:
    found = {"detection_accuracy": 0.95, "recall": 0.9, "detection_precision": 0.7, "f1": 0.79, "auroc": 0.987}
    scored = {"fpr": 0.04, "false_alarms": 0.05, "n_scored": 1000, "n_poisoned_scored": 100}
    return row(defense="strip", budget=50) | found | scored | over


def shown(table: ResultTable, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table.rich())
    return out.getvalue()


def cell(table: ResultTable, panel: int, line: int, key: str) -> str:
    found = table.panels.tables[panel]
    place = next(place for place, column in enumerate(found.columns) if column.key == key)
    return str(found.lines[line].cells[place])


def test_a_single_seed_shows_its_interval() -> None:
    table = ResultTable([victim()])
    low, high = binomtest(891, 900).proportion_ci(method="wilson")
    assert cell(table, 0, 0, "asr") == f"99.0 ({100 * low:.1f}\N{EN DASH}{100 * high:.1f})"
    assert "seed 0" in table.panels.caption
    assert "900 triggered test rows" in table.panels.caption
    assert "Wilson" in shown(table)


def test_seeds_become_mean_and_sample_deviation() -> None:
    values = [0.99, 0.95, 0.91]
    table = ResultTable([victim(seed=str(seed), asr=value) for seed, value in enumerate(values)])
    assert cell(table, 0, 0, "asr") == f"95.0 ±{100 * np.std(values, ddof=1):.1f}"
    assert len(table.groups) == 1
    assert "seeds 0, 1, 2" in table.panels.caption
    record = table.records()[0]
    assert record["asr"] == pytest.approx(0.95)
    assert record["asr_sd"] == pytest.approx(np.std(values, ddof=1))
    assert "asr_low" not in record  # an interval belongs to one seed


def test_every_table_with_an_attack_shows_asr_floor_and_twin() -> None:
    verdict = row(defense="nc", verdict=True, verdict_score=3.2, verdict_targets=[0], false_alarms=False)
    table = ResultTable([victim(), repaired(), detector(), verdict])
    assert len(table.panels.tables) == 3
    assert [cell(table, 0, line, "benign_asr") for line in (0, 1)] == ["2.0", "2.0"]
    assert cell(table, 0, 0, "benign_accuracy") == "93.0"
    for panel in table.panels.tables[1:]:
        words = " ".join(panel.caption)
        assert "ASR 99.0" in words
        assert "floor 2.0" in words
        assert "benign twin accuracy 93.0" in words
    assert cell(table, 2, 0, "verdict") == "yes"
    assert cell(table, 2, 0, "false_alarms") == "no"


def test_detection_of_several_attacks_has_victim_columns() -> None:
    other = {"attack": "blend", "asr": 0.9, "benign_asr": 0.03, "benign_accuracy": 0.93}
    table = ResultTable([victim(), detector(), victim(**other), detector(**other, n_triggered=900)])
    assert [cell(table, 1, line, "benign_asr") for line in (0, 1)] == ["2.0", "3.0"]
    assert cell(table, 1, 0, "asr").startswith("99.0")
    assert cell(table, 1, 0, "auroc") == "0.987"


def test_marks_and_reasons() -> None:
    table = ResultTable(
        [
            victim(asr=0.4, attack_failed=True),
            repaired(constant_predictor=True, attack_failed=True, adapted=True),
            row(defense="clp", status="unsupported", reason="CLP needs BatchNorm layers; mlp has none."),
            row(defense="fp", status="failed", reason="Out of memory."),
            row(defense="nad", status="missing", reason=None),
        ]
    )
    remarks = [[mark for mark, _ in line.remarks] for line in table.panels.tables[0].lines]
    assert remarks == [
        ["attack failed"],
        ["attack failed", "constant predictor", "adapted"],
        ["unsupported"],
        ["failed"],
        ["missing"],
    ]
    text = shown(table)
    for words in ("attack failed: ASR below 80 %", "constant predictor:", "adapted:", "unsupported [1]", "failed [2]"):
        assert words in text
    assert "[1] CLP needs BatchNorm layers; mlp has none." in text
    assert table.records()[2]["remarks"] == ["unsupported: CLP needs BatchNorm layers; mlp has none."]
    assert cell(table, 0, 2, "asr") == "\N{EN DASH}"


def test_some_seeds_failed() -> None:
    rows = [victim(seed="0"), victim(seed="1", asr=0.97), victim(seed="2", status="failed", reason="Killed.")]
    table = ResultTable([*rows, repaired(seed="0")])
    line = table.panels.tables[0].lines[0]
    assert ("failed (1 of 3)", 1) in line.remarks
    assert cell(table, 0, 0, "seeds") == "2 of 3"
    assert cell(table, 0, 0, "asr") == "98.0 ±1.4"
    assert cell(table, 0, 1, "seeds") == "1"


def test_a_line_without_numbers_stands_where_its_defense_has_some() -> None:
    refused = row(attack="blend", defense="strip", status="unsupported", reason="no overlay")
    table = ResultTable([victim(), detector(), victim(attack="blend"), refused])
    assert [len(panel.lines) for panel in table.panels.tables] == [2, 2]


def test_equal_descriptions_are_never_averaged() -> None:
    table = ResultTable([detector(recall=0.9), detector(recall=0.1), victim()])
    assert sorted(record["recall"] for record in table.records() if record["recall"] is not None) == [0.1, 0.9]


def test_settings_that_vary_are_columns_and_the_rest_caption() -> None:
    table = ResultTable(
        [victim(ratio=0.1), victim(ratio=0.05), victim(attack="none", ratio=None, target=None, asr=None)]
    )
    keys = [column.key for column in table.panels.tables[0].columns]
    assert keys[:3] == ["attack", "ratio", "defense"]
    assert "poison ratio" not in " ".join(table.panels.caption)
    assert "target 0" in table.panels.caption
    assert cell(table, 0, 2, "ratio") == "\N{EN DASH}"


def test_a_row_without_settings_of_its_own_differs_from_one_that_has_some() -> None:
    table = ResultTable([victim(), victim(variant="train.then.epochs=3")])
    assert [cell(table, 0, line, "variant") for line in (0, 1)] == [DASH, "train.then.epochs=3"]
    assert "train.then.epochs=3" in ResultTable([victim(variant="train.then.epochs=3")]).panels.caption


def test_defenses_follow_their_victim() -> None:
    other = {"attack": "blend"}
    table = ResultTable([repaired(), victim(), repaired(**other), victim(**other), repaired(defense="fp")])
    assert [(line.undefended, line.cells[1].text) for line in table.panels.tables[0].lines] == [
        *[(True, "none"), (False, "ft"), (False, "fp")],
        *[(True, "none"), (False, "ft")],
    ]


def test_rates_over_positives_are_blank_without_positives() -> None:
    benign = detector(attack="none", recall=0.0, f1=0.0, detection_precision=0.0, auroc=None, n_poisoned_scored=0)
    table = ResultTable([row(attack="none", clean_accuracy=0.9), benign])
    keys = {column.key for column in table.panels.tables[1].columns}
    assert keys & {"recall", "f1", "detection_precision", "auroc"} == set()
    assert cell(table, 1, 0, "fpr") == "4.0"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_terminal_line_is_wider_than_the_console(width: int) -> None:
    rows = [victim(), repaired(), detector(), row(defense="clp", status="unsupported", reason="none")]
    rows += [{**r, "attack": "a-rather-long-name", "constant_predictor": True} for r in rows]
    text = shown(ResultTable(rows), width)
    assert max(map(len, text.splitlines())) <= width
    for heading in ("Clean acc.", "DER", "AUROC", "FPR"):
        assert heading in text
    assert "…" not in text


def test_markdown_cells_stay_in_their_columns() -> None:
    text = ResultTable([victim(attack="a|b"), row(defense="x", status="failed", reason="two\nlines")]).markdown()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "[1] two lines" in text


def test_no_rows() -> None:
    table = ResultTable([])
    assert shown(table).strip() == "No results."
    assert table.records() == []


def test_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from mbti_core.results.table import ResultTable; ResultTable([]).markdown();"
        "raise SystemExit(bool({'torch', 'numpy', 'rich', 'jinja2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_verdict_beside_a_repair_stands_beside_the_victims_asr() -> None:
    found = repaired(defense="nc", verdict=True, verdict_score=3.2, verdict_targets=[0], false_alarms=False)
    with_victim = ResultTable([victim(), found, detector()])
    verdicts = with_victim.panels.tables[2]
    assert any("ASR 99.0" in words for words in verdicts.caption)
    alone = ResultTable([found, detector()]).panels.tables[2]
    assert not any("ASR" in words for words in alone.caption)
    assert any("floor 2.0" in words for words in alone.caption)
