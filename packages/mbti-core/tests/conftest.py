"""The command line, called in this process with the toy plugin alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rich.style  # noqa: F401 - draws from the global generator when it is first imported

from mbti_core.cli import main
from mbti_core.plugins import manager
from mbti_core.plugins.manager import registry
from mbti_core.testing.toy_plugin import EXTRA


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        document = json.loads(self.out)
        assert document["schema"] == 1
        return document


@pytest.fixture
def mbti(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Answer]]:
    """Call ``mbti``; its store is ``runs`` in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "MBTI_DATA", "MBTI_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(manager, "entry_points", lambda group: [])
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", EXTRA)
    registry.cache_clear()

    def call(*words: str) -> Answer:
        code = main(words)
        return Answer(code, *capsys.readouterr())

    yield call
    registry.cache_clear()
