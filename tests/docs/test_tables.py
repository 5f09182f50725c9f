"""The pages of results are filled from stores, and from the rows kept beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rich.style  # noqa: F401 - its import draws from Python's generator, and the test would be blamed

from mbti_core.api import run

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "results"
PAGE = """# Results

<!-- table: attack=badnets -->
old
<!-- end -->
between
<!-- table: attack=wanet -->
kept
<!-- end -->
"""


def test_tables_of_rows_in_a_store_are_filled_and_the_others_stay(tmp_path: Path) -> None:
    spec = {"schema": 1, "name": "few", "modality": "image", "dataset": "digits", "model": "cnn"}
    spec |= {"train": {"epochs": 1}, "attack": "badnets"}
    for seed in (0, 1):
        run({**spec, "seeds": seed}, store=tmp_path / f"store-{seed}", report=False)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for stores, title in (
        (["store-0"], "seed 0"),
        (["store-0"], "seed 0"),  # filled again, it is the same page
        (["store-1"], "seeds 0, 1"),  # rows that another store gave are kept
        ([], "seeds 0, 1"),
    ):
        subprocess.run([sys.executable, DOCS / "tables.py", page, *(tmp_path / store for store in stores)], check=True)
        text = page.read_text()
        assert f" · {title} · " in text
        assert text.count("| badnets | none |") == 1
        assert "old" not in text
        assert text.endswith("<!-- end -->\nbetween\n<!-- table: attack=wanet -->\nkept\n<!-- end -->\n")
        assert text.count("| Attack |") == 1
    rows = [json.loads(line) for line in page.with_suffix(".jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == ["0", "1"]


@pytest.mark.parametrize("page", [page for page in RESULTS.glob("*.md") if page.with_suffix(".jsonl").exists()])
def test_published_tables_are_those_of_the_rows_beside_them(page: Path, tmp_path: Path) -> None:
    for file in (page, page.with_suffix(".jsonl")):
        shutil.copy(file, tmp_path)
    subprocess.run([sys.executable, DOCS / "tables.py", tmp_path / page.name], check=True)
    assert (tmp_path / page.name).read_text() == page.read_text()
    assert (tmp_path / page.with_suffix(".jsonl").name).read_text() == page.with_suffix(".jsonl").read_text()
