"""What the shape of a file gives away: rooms named for nothing, files too long, unexplained ignores, unsafe loading."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

LONGEST = 400
NAMED_FOR_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc"}
IGNORE = re.compile(r"#\s*(type:\s*ignore|noqa)")
EXPLAINED = re.compile(r"# type: ignore\[[a-z\-, ]+\]  # \S|# noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)* - \S")
UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "shelve"}
PICKLERS = {"load", "loads", "Unpickler"}


def test_a_file_is_short_enough(source: Path) -> None:
    assert len(source.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_a_room_is_named_for_what_it_does(source: Path) -> None:
    assert not NAMED_FOR_NOTHING & {source.stem, *(p.name for p in source.parents)}


def test_every_ignore_says_why(source: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(source.read_text(encoding="utf-8")).readline)
    comments = [t.string for t in tokens if t.type == tokenize.COMMENT]
    assert not [c for c in comments if IGNORE.search(c) and not EXPLAINED.search(c)]


def test_badnets_fits_in_thirty_lines(root: Path) -> None:
    file = root / "packages/mbti-image/src/mbti_image/attacks/badnets.py"
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 30


def unsafe(tree: ast.Module) -> Iterator[str]:
    """Name what could run code from a file: pickle in any coat, or a loader told to trust what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            roots = (
                {a.name.split(".")[0] for a in node.names}
                if isinstance(node, ast.Import)
                else {str(node.module).split(".")[0]}
            )
            yield from roots & UNSAFE_MODULES
            if isinstance(node, ast.ImportFrom) and "pickle" in roots:
                yield from {a.name for a in node.names} & PICKLERS
        if isinstance(node, ast.Call):
            yield from unsafe_call(node)


def unsafe_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if called in {f"pickle.{name}" for name in PICKLERS}:
        yield called
    if called == "torch.load" and keywords.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if called in ("np.load", "numpy.load") and keywords.get("allow_pickle") != "False":
        yield "np.load without allow_pickle=False"
    if keywords.get("trust_remote_code") == "True":
        yield "trust_remote_code"
    if called in ("eval", "exec", "yaml.unsafe_load"):
        yield called


def test_nothing_that_is_read_can_run_code(source: Path) -> None:
    # An allow-list reader subclasses pickle.Unpickler; the conformance kit pickles its own objects, in memory.
    if "testing" not in source.parts:
        assert not list(unsafe(ast.parse(source.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "code",
    [
        "import pickle\npickle.load(f)",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "np.load(path)",
        "import joblib",
        "pickle.Unpickler(f).load()",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
    ],
)
def test_the_check_sees_unsafe_loading(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


def test_an_allow_list_reader_is_let_through() -> None:
    code = "import pickle\nclass Reader(pickle.Unpickler):\n  def find_class(self, m, n): raise E\nReader(f).load()"
    assert not list(unsafe(ast.parse(code)))
