"""Core and defenses name no modality and no architecture: what differs between them comes through a hook."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mbti_core.plugins.manager import Registry

# Families whose members may come later; the installed registry adds what is there now.
FAMILIES = frozenset(
    re.findall(
        r"\S+",
        """alexnet albert bart bert bilstm cnn convnext deberta deit densenet distilbert ecapa efficientnet gpt hubert
        inception lenet llama lstm minilm mobilenet preactresnet resnet roberta swin t5 tdnn vgg vit wav2vec wavlm
        whisper xlnet xvector""",
    )
)
# A word of plain English; it counts only as a whole string, not as part of an identifier or a sentence.
ENGLISH = {"text"}
STAND_INS = {"any", "toy"}


@cache
def forbidden() -> frozenset[str]:
    registry = Registry()
    parts = {r.component.modality for r in registry.components()} | set(registry.modalities)
    models = {r.component.name for r in registry.components("model") if r.component.modality not in STAND_INS}
    return frozenset({p.lower() for p in parts | models} - STAND_INS | {"image", "text", "audio"})


def words_of(text: str) -> Iterator[str]:
    """Split identifiers and sentences: ``ResNet18_head`` gives resnet18, resnet, head, and its halves in camel case."""
    for word in re.findall(r"[A-Za-z0-9]+", text):
        yield word.lower()
        yield word.lower().rstrip("0123456789")
        yield from (part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", word))


def names_in(text: str) -> set[str]:
    return set(words_of(text)) & ((forbidden() | FAMILIES) - ENGLISH)


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of constants that stand alone as statements: documentation, not code."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def citations(tree: ast.Module) -> set[int]:
    """Return the ids of constants inside ``Source(...)``: titles of papers are metadata."""
    calls = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "Source"
    ]
    return {id(c) for call in calls for c in ast.walk(call) if isinstance(c, ast.Constant)}


def identifiers(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "arg", "name", "asname", "module"):
        value = getattr(node, field, None)
        if isinstance(value, str) and (
            field != "module" or value.startswith("mbti_")
        ):  # another library's name is its own
            yield value


def offences(tree: ast.Module) -> list[str]:
    skipped = docstrings(tree) | citations(tree)
    found = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for name in identifiers(node):
            found += [f"line {line}: {hit} in the identifier {name}" for hit in names_in(name)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            whole = {node.value.lower(), node.value.lower().split("/", 1)[0]} & ENGLISH
            hits = whole | names_in(node.value)
            found += [f"line {line}: {hit} in the string {node.value!r}" for hit in hits]
    return found


def test_no_modality_or_architecture_is_named(neutral: Path) -> None:
    assert not offences(ast.parse(neutral.read_text(encoding="utf-8")))


def test_the_list_of_names_comes_from_what_is_installed() -> None:
    assert {"image", "text", "audio", "resnet18"} <= forbidden()
    assert not forbidden() & STAND_INS


@pytest.mark.parametrize(
    "code",
    [
        "if modality == 'image': pass",
        "x = 'text/badwords'",
        "ResNet18()",
        "import mbti_audio",
        "f'{x} on bert'",
        "def f(gpt2): pass",
        "m.vit_head",
    ],
)
def test_the_check_sees_names(code: str) -> None:
    assert offences(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "'''Works on images and text.'''",
        "text = path.read_text()",
        "raise E('expected a text')",
        "Source('BERT, attacked')",
        "vital = smart",
    ],
)
def test_the_check_leaves_prose_alone(code: str) -> None:
    assert not offences(ast.parse(code))
