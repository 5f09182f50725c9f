"""The pages of results are filled from a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import rich.style  # noqa: F401 - its import draws from Python's generator, and the test would be blamed

from mbti_core.api import run

DOCS = Path(__file__).parents[2] / "docs"
PAGE = """# Results

<!-- table: attack=badnets -->
old
<!-- end -->
between
<!-- table: attack=wanet -->
kept
<!-- end -->
"""


def test_tables_of_rows_in_the_store_are_filled_and_the_others_kept(tmp_path: Path) -> None:
    spec = {"schema": 1, "name": "few", "modality": "image", "dataset": "digits", "model": "cnn"}
    run({**spec, "train": {"epochs": 1}, "attack": "badnets"}, store=tmp_path / "store", report=False)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for _ in range(2):  # filled again, it is the same page
        subprocess.run([sys.executable, DOCS / "tables.py", tmp_path / "store", page], check=True)
        text = page.read_text()
        assert "| badnets | none |" in text
        assert "old" not in text
        assert text.endswith("<!-- end -->\nbetween\n<!-- table: attack=wanet -->\nkept\n<!-- end -->\n")
        assert text.count("| Attack |") == 1
