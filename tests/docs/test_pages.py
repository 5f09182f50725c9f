"""Every code block of the README and of the docs runs, page by page, in an empty folder.

A block with ``title="x.py"`` is a file that the reader writes; ``<!-- not run: reason -->`` leaves the next one out.
"""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sklearn.cluster  # noqa: F401 - its import draws from Python's generator, and a page would be blamed

from mbti_core.cli import main
from mbti_core.engine.specfile import load_spec
from mbti_core.plugins.manager import registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*/*.md")), ROOT / "docs/index.md"]
_FENCE = re.compile(
    r'^(?:<!-- not run: (?P<why>.*?) -->\n+)?```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
# Commands that CI runs itself, and one that changes the clone's git hooks.
ELSEWHERE = (
    "pip install uv",
    "uv sync",
    "uv run pytest",
    "uv run ruff",
    "uv run mypy",
    "uv run lint-imports",
    "bash .ci/run",
    "uv run prek install",
)
_READ_ONLY = {"text", "console"}


@dataclass(frozen=True)
class Block:
    """One fenced block, with the line it starts on, and why it is not run, if so."""

    page: Path
    line: int
    language: str
    title: str
    code: str
    why_not: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, m.start("code")), m["language"], m["title"] or "", m["code"], m["why"] or "")
        for m in _FENCE.finditer(text)
    ]


NOT_RUN = [block for page in PAGES for block in blocks(page) if block.why_not]


@dataclass
class Reader:
    """Somebody who does what a page says."""

    folder: Path
    patch: pytest.MonkeyPatch
    names: dict[str, Any]

    def do(self, block: Block) -> None:
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.code, f"{block.page.name}:{block.line}", "exec"), self.names)
        elif block.language == "bash":
            for command in commands(block.code):
                self.call(command)
        elif block.language == "toml":
            tomllib.loads(block.code)
        elif block.language == "yaml":
            load_spec(self.saved(block), registry()).resolve(registry())
        else:
            assert block.language in _READ_ONLY, f"{block.page.name}:{block.line}: nobody runs {block.language!r}"

    def saved(self, block: Block) -> Path:
        path = self.folder / "block.yaml"
        path.write_text(block.code, encoding="utf-8")
        return path

    def call(self, command: str) -> None:
        if command.startswith(ELSEWHERE):
            return
        words = shlex.split(command)
        with self.patch.context() as only_here:
            while "=" in words[0]:
                name, value = words.pop(0).split("=", 1)
                only_here.setenv(name, value)
                if name == "PYTHONPATH":
                    only_here.syspath_prepend(str(self.folder / value))
            words = words[2:] if words[:2] == ["uv", "run"] else words
            assert words[0] == "mbti", f"not a command that these tests know: {command}"
            registry.cache_clear()
            assert main(words[1:]) == 0, command
        registry.cache_clear()


def commands(code: str) -> Iterator[str]:
    """Yield the commands of a shell block without comments; a backslash joins lines."""
    for line in code.replace("\\\n", " ").splitlines():
        command = re.sub(r"(^|\s)#.*$", "", line).strip()
        if command:
            yield command


@pytest.fixture
def reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Start in an empty folder with the examples; runs of earlier pages are in the store."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MBTI_STORE", str(tmp_path_factory.getbasetemp() / "store-of-the-docs"))
    before = set(sys.modules)
    yield Reader(tmp_path, monkeypatch, {"__name__": "page"})
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    registry.cache_clear()


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_what_the_page_says_works(page: Path, reader: Reader) -> None:
    for block in blocks(page):
        if not block.why_not:
            reader.do(block)


@pytest.mark.parametrize("block", NOT_RUN, ids=[f"{b.page.stem}:{b.line}" for b in NOT_RUN])
def test_left_out(block: Block) -> None:
    pytest.skip(block.why_not)


def test_the_examples_are_valid() -> None:
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        assert load_spec(file, registry()).resolve(registry())


@pytest.mark.parametrize("source", ["examples/digits.yaml", "docs/tutorial/first-run.md"])
def test_what_is_said_to_be_the_built_in_experiment_is(source: str, tmp_path: Path) -> None:
    file = ROOT / source
    if file.suffix == ".md":
        file = tmp_path / "mine.yaml"
        file.write_text(next(b.code for b in blocks(ROOT / source) if b.title == "mine.yaml"), encoding="utf-8")
    [built_in], [told] = (load_spec(s, registry()).resolve(registry()) for s in (None, file))
    assert replace(told, name=built_in.name) == built_in


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
        assert not missing


def test_the_first_screen_holds_what_a_reader_needs() -> None:
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30])
    for needed in (
        "pip install uv",
        "uv run mbti run",
        "uv run pytest",
        "Clean acc.",
        "first-run.md",
        "your-own-attack.md",
    ):
        assert needed in screen
