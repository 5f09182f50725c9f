"""The command line, called in this process with the toy plugin alone; plugins made for a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rich.style  # noqa: F401 - draws from the global generator when it is first imported

from mbti_core.cli import main
from mbti_core.contracts.component import Component
from mbti_core.plugins import manager
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry, registry
from mbti_core.testing import toy_plugin
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


@pytest.fixture
def plugged() -> Callable[..., Registry]:
    """Return a registry of the toy plugin and of a plugin ``made`` with one component, ``toy/made``, and some hooks."""

    def make(kind: Any, target: str, traits: tuple[str, ...] = (), **hooks: Any) -> Registry:
        component = Component(kind, "toy/made", target, "Made for a test", traits=frozenset(traits))
        module = ModuleType("made_for_a_test")
        for name, function in {"register": lambda: [component], **hooks}.items():
            setattr(module, f"mbti_{name}", hookimpl(function, specname=f"mbti_{name}"))
        registry = Registry(points=[], blocked=frozenset())
        registry.register(toy_plugin, "toy")
        registry.register(module, "made")
        return registry

    return make


@pytest.fixture
def failures() -> Callable[..., dict[str, str]]:
    """Run some checks of the plugin ``made`` and return the messages of those that failed."""
    from mbti_core.testing import planning

    def run(registry: Registry, *names: str) -> dict[str, str]:
        found = {p.id.rpartition("-")[2]: p for p in planning.plan_checks("made", None, registry)}
        results = {name: planning.run_check(found[name]) for name in names}
        return {name: result.message for name, result in results.items() if result.status == "failed"}

    return run
