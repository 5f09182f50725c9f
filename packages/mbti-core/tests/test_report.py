from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mbti_core.errors import ConfigError
from mbti_core.results.curves import curve_svg, histogram_svg
from mbti_core.results.report import write_report
from mbti_core.results.sections import Section
from mbti_core.results.table import ResultTable

VOID = {"meta", "img", "br", "hr", "input", "link"}


def row(**over: Any) -> dict[str, Any]:
    base = {"attack": "stamp", "defense": "none", "seed": "0", "dataset": "blobs", "model": "mlp", "status": "ok"}
    numbers = {"clean_accuracy": 0.92, "asr": 0.99, "benign_accuracy": 0.93, "benign_asr": 0.02, "n_triggered": 900}
    return base | numbers | over


def rows() -> list[dict[str, Any]]:
    return [
        row(asr_low=0.981, asr_high=0.995),
        row(defense="ft", clean_accuracy=0.9, asr=0.05, der=0.96),
        row(defense="strip", detection_accuracy=0.9, recall=0.8, auroc=0.97, fpr=0.04),
        row(defense="clp", status="unsupported", reason="CLP needs BatchNorm layers."),
    ]


class Page(HTMLParser):
    """Checks that tags are balanced and keeps what tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def written(tmp_path: Path, table: ResultTable, *sections: Section, **facts: Any) -> tuple[str, Page]:
    path = write_report(tmp_path / "deep" / "page.html", table, sections, "a <title>", facts)
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


def test_nothing_is_loaded_and_no_script_runs(tmp_path: Path) -> None:
    html, page = written(tmp_path, ResultTable(rows()), Section("Losses", curve_svg({"a": [1, 2]}, "t", "y")))
    assert not re.search(r"https?://|//[a-z]", html)
    assert not page.all("script") + page.all("link") + page.all("iframe")
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert {a["href"][0] for a in page.all("a") if a["href"]} == {"#"}
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0] is not None
    assert policy[0].startswith("default-src 'none'")


def test_links_lead_somewhere_and_ids_are_unique(tmp_path: Path) -> None:
    _, page = written(tmp_path, ResultTable(rows()), Section("One", "<p>1</p>"), Section("Two", "<p>2</p>"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for a in page.all("a")} <= set(ids)
    assert "note-1" in ids


def test_tables_are_accessible(tmp_path: Path) -> None:
    _, page = written(tmp_path, ResultTable(rows()))
    assert len(page.all("table")) == len(page.all("caption")) == 2
    assert {th.get("scope") for th in page.all("th")} == {"col", "row", "rowgroup"}
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert svg["aria-label"]
    assert page.all("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


def test_says_what_is_needed(tmp_path: Path) -> None:
    spec = "schema: 1\nseeds: [0]\n"
    html, page = written(tmp_path, ResultTable(rows()), Section("Samples", "<b>bold</b>"), seeds="0", spec=spec)
    for words in ("99.0", "floor 2.0 %", "unsupported", "Best AUROC", "Defense effectiveness rating"):
        assert words in html
    assert "<b>bold</b>" in html  # a section's HTML is put in as it is
    assert spec in html
    assert "seeds" in page.words
    assert "TPR at" not in html  # only columns that are shown are explained
    assert page.words.count("ASR") == 2  # once in its table, once explained


def test_text_from_data_is_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\"&'"
    table = ResultTable(
        [
            row(attack=evil, dataset=evil),
            row(attack=evil, defense=evil, dataset=evil, asr=0.1, der=0.9),
            row(attack="b", dataset=evil),
            row(attack="b", dataset=evil, defense="x", status="failed", reason=evil),
        ]
    )
    chart = curve_svg({evil: [1.0]}, evil, evil)
    html, page = written(tmp_path, table, Section(evil, chart), **{evil: evil})
    assert "<img" not in html
    assert not page.all("img")
    assert page.words.count(evil) > 5


def test_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    written(tmp_path, ResultTable(rows()))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_report(tmp_path / "file" / "page.html", ResultTable([]), [], "t", {})


@pytest.mark.parametrize(
    "some_rows",
    [
        [],
        [row(attack="none", asr=None, benign_asr=None, benign_accuracy=None)],
        [row(status="failed", reason="Out of memory.")],
        [row(), row(attack="blend", asr=0.9), row(attack="blend", defense="ft", asr=0.1, der=0.9)],
        [row(attack=f"attack-{number}") for number in range(9)],
    ],
)
def test_pages_of_other_shapes(tmp_path: Path, some_rows: list[dict[str, Any]]) -> None:
    html, _ = written(tmp_path, ResultTable(some_rows))
    assert "None" not in html
    assert "nan" not in html


def paths(svg: str) -> list[str]:
    return [element.get("d", "") for element in ElementTree.fromstring(svg).iter("path")]


def test_a_curve_goes_through_its_points() -> None:
    svg = curve_svg({"loss": [2.0, 1.0, 0.0]}, "Loss", "cross-entropy")
    points = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in ElementTree.fromstring(svg).iter("circle")]
    assert len(points) == 3
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.1)
    assert points[1][1] - points[0][1] == pytest.approx(points[2][1] - points[1][1], abs=0.1)
    assert points[0][1] < points[2][1]  # a larger value stands higher
    words = [text.text for text in ElementTree.fromstring(svg).iter("text")]
    assert {"Loss", "cross-entropy", "epoch", "loss", "1", "2", "3", "0"} <= set(words)


def test_curves_leave_gaps_and_need_no_values() -> None:
    gap = next(
        path for path in paths(curve_svg({"a": [1.0, float("nan"), 2.0, 3.0]}, "t", "y")) if path.count("M") == 2
    )
    assert gap.count("L") == 1
    for series in ({}, {"a": []}, {"a": [float("nan")]}, {"a": [0.0, 0.0]}, {"a": [-1.0]}, {"a": [5.0] * 200}):
        ElementTree.fromstring(curve_svg(series, "t", "y"))


def test_a_histogram_counts_shares_of_each_kind() -> None:
    svg = histogram_svg([0.0] * 30 + [1.0] * 10, [4.0] * 5, 2.5)
    clean, poisoned = (path for path in paths(svg) if path.count("h") == 40)
    base, heights = float(clean.split(",")[1].split("V")[0]), [float(v) for v in re.findall(r"V([\d.]+)h", clean)]
    filled = [base - height for height in heights if height < base]
    assert filled[0] / filled[1] == pytest.approx(3, rel=0.02)
    full = min(float(v) for v in re.findall(r"V([\d.]+)h", poisoned))
    assert (base - full) / filled[0] == pytest.approx(1 / 0.75, rel=0.02)
    assert "threshold 2.5" in svg
    assert "clean, 40 rows" in svg


@pytest.mark.parametrize(
    ("clean", "poisoned", "threshold"),
    [([], [], None), ([1.0], [], None), ([1.0, 1.0], [1.0], 1.0), ([0.0, 1.0], [0.5], float("inf"))],
)
def test_histograms_of_other_shapes(clean: list[float], poisoned: list[float], threshold: float | None) -> None:
    svg = histogram_svg(clean, poisoned, threshold)
    ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert ("poisoned, " in svg) == bool(poisoned)
