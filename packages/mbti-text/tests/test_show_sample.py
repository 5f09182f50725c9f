"""What a person sees of an attack on texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rich.style  # noqa: F401 - its first import draws from the global generator

from mbti_core.cli import main

SPEC = """
schema: 1
modality: text
dataset: {name: reviews, train: 200, test: 100}
attack: {name: badnets, target: 0}
model: {name: cnn}
"""


def test_the_terminal_shows_what_the_trigger_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, page = tmp_path / "spec.yaml", tmp_path / "page.html"
    spec.write_text(SPEC, encoding="utf-8")
    asked = ["--spec", str(spec), "--store", str(tmp_path / "store"), "--rows", "4", "--output", str(page)]
    assert main(["show-sample", "text/badnets", *asked]) == 0
    *blocks, last = capsys.readouterr().out.strip().split("\n\n")
    assert last == f"4 samples: {page}"
    assert len(blocks) == 4
    for block in blocks:
        clean, bad = block.split("\n")
        assert clean.startswith("positive: ")
        assert re.sub(r"\{\+.+?\+\} ?", "", bad.removeprefix("negative: ")).strip() == clean.removeprefix("positive: ")
        assert "{+" in bad
    html = page.read_text(encoding="utf-8")
    assert html.count("<ins>") >= 4
    assert "times as large" not in html
