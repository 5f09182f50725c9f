"""What the command line must answer at once imports no torch, in a process of its own; completion; progress."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from mbti_core.cli.completion import complete_kind, complete_modality, complete_plugin, complete_stage
from mbti_core.cli.progress import Bars, Lines, progress
from mbti_core.engine.graph import Node
from mbti_core.engine.store import Store
from mbti_core.errors import PluginConflictError
from mbti_core.stages import VERSIONS
from mbti_core.testing.toy_plugin import EXTRA

Call = Callable[..., Any]
PROGRAM = """
import sys
from mbti_core.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
heavy = {"torch", "sklearn", "scipy", "pyarrow", "numpy"} & set(sys.modules)
print("heavy:", *sorted(heavy), file=sys.stderr)
sys.exit(code)
"""


def outside(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Call the command line in a fresh process; return its exit code, its output, and the heavy imports it made."""
    env = {**os.environ, "MBTI_EXTRA_PLUGINS": EXTRA, "MBTI_STORE": str(folder / "runs"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr.splitlines()[-1]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder with a store that holds one result."""
    row = '{"name": "mine", "dataset": "blobs", "attack": "stamp", "defense": "none", "status": "ok", "asr": 1.0}'

    def fill(folder: Path) -> dict[str, Any]:
        (folder / "row.json").write_text(row)
        return {}

    Store(tmp_path / "runs").build("evaluate", "ab12", {"label": "mine", "inputs": {}}, fill)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "run --help",
        "list",
        "list attacks --json",
        "list specs",
        "results",
        "results --json --where attack=stamp",
        "store ls",
        "store show ab",
        "store verify",
        "store gc --dry-run",
        "plugin list",
        "fetch dataset --help",
        "plugin new mine",
        "nonsense",
    ],
)
def test_no_torch(store: Path, words: str) -> None:
    code, out, heavy = outside(store, *words.split())
    assert code == (2 if words == "nonsense" else 0)
    assert out or words == "nonsense" or words.startswith("store gc") or words == "store verify"
    assert heavy == "heavy:"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mbti sh", ["show", "show-sample"]),
        ("mbti show at", ["attack"]),
        ("mbti show attack sta", ["stamp"]),
        ("mbti show attack toy/st", ["toy/stamp"]),
        ("mbti run --attack sta", ["stamp"]),
        ("mbti show-sample sta", ["stamp"]),
        ("mbti run --defense retune --defense out", ["outlier"]),
        ("mbti run --force pre", ["prepare"]),
        ("mbti plugin check to", ["toy"]),
        ("mbti run ru", []),
        ("mbti validate ru", []),
    ],
)
def test_completion_imports_no_torch(tmp_path: Path, line: str, offered: list[str]) -> None:
    environment = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    code, out, heavy = outside(tmp_path, _MBTI_COMPLETE="complete_bash", **environment)
    assert (code, out.split(), heavy) == (0, offered, "heavy:")


def test_completion_offers_nothing_rather_than_fail(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete_kind("de") == ["defense"]
    assert complete_stage("") == [*VERSIONS]
    assert complete_modality("t") == ["toy"]
    assert complete_plugin("c") == ["core"]

    def clash() -> None:
        raise PluginConflictError("Two plugins.")

    monkeypatch.setattr("mbti_core.cli.completion.registry", clash)
    assert complete_modality("") == complete_plugin("") == []


NODE = Node("train", "ab12", "mlp on blobs", {}, "", {}, {})


def test_lines_say_what_runs_and_for_how_long() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out))
    lines.stage_started(NODE)
    lines.epoch(NODE, 1, 2)
    lines.stage_finished(NODE, 1.25, cached=False)
    lines.stage_failed(NODE, ValueError("x"))
    assert out.getvalue().splitlines() == [
        "train    mlp on blobs: started",
        "train    mlp on blobs: 1.2 s",
        "train    mlp on blobs: failed (ValueError)",
    ]


def test_bars_leave_a_line_for_each_stage_that_is_done() -> None:
    with Progress(console=Console(file=io.StringIO(), force_terminal=True, width=100), auto_refresh=False) as shown:
        bars = Bars(shown, total=2)
        bars.stage_started(NODE)
        bars.epoch(NODE, 3, 4)
        assert [(t.completed, t.total) for t in shown.tasks] == [(0, 2), (3, 4)]
        bars.stage_finished(NODE, 1.25, cached=False)
        assert [(t.completed, t.total) for t in shown.tasks] == [(1, 2)]
        bars.stage_started(NODE)
        bars.stage_failed(NODE, ValueError("x"))
        assert [(t.completed, t.total) for t in shown.tasks] == [(2, 2)]


def test_progress_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress(3, verbose=False) as listener:
        assert listener is None
    with progress(3, verbose=True) as listener:
        assert type(listener) is Lines
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress(3, verbose=False) as listener:
        assert type(listener) is Bars
    monkeypatch.setenv("TERM", "dumb")
    with progress(3, verbose=False) as listener:
        assert listener is None


@pytest.mark.parametrize("no_color", [True, False])
def test_colors_only_on_a_terminal_that_wants_them(mbti: Call, monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    from mbti_core.cli.console import print_error

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1") if no_color else monkeypatch.delenv("NO_COLOR", raising=False)
    print_error("x")
    assert ("\x1b[1;31m" in terminal.getvalue()) is not no_color
