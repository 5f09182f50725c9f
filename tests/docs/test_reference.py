"""The reference says what the code says."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from mbti_core import errors
from mbti_core.plugins import given_hookspecs, hookspecs, sample_hookspecs

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [
    h for m in (hookspecs, sample_hookspecs, given_hookspecs) for name, h in vars(m).items() if name.startswith("mbti_")
]
ERRORS = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, errors.MbtiError)]


def headings(page: str) -> set[str]:
    lines = (DOCS / "reference" / page).read_text(encoding="utf-8").splitlines()
    return {line.lstrip("# ") for line in lines if line.startswith("#")}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda h: h.__name__)
def test_every_hook_has_a_heading_with_its_exact_signature(hook: object) -> None:
    assert callable(hook)
    signature = str(inspect.signature(hook)).replace("'", "")
    assert f"`{hook.__name__}{signature}`" in headings("hooks.md")  # type: ignore[attr-defined]  # a function


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.__name__)
def test_every_exit_code_has_a_heading(error: type[errors.MbtiError]) -> None:
    assert f"`{error.exit_code}`" in headings("exit-codes.md")


def test_generated_pages_are_current() -> None:
    command = [sys.executable, str(DOCS / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
