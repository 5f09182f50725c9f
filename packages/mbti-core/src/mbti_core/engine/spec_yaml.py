"""YAML for specs: read as YAML 1.2, duplicates refused, plain data out, and the line that each key stands on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from mbti_core.errors import ConfigError


def parse(text: str, source: str) -> Any:
    """Read a text as YAML, keeping line numbers.

    Args:
        text: One YAML document.
        source: What errors call it.

    Raises:
        ConfigError: If it is malformed or holds a key twice; says where.
    """
    yaml = YAML(typ="rt")
    yaml.version = (1, 2)
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        what = " ".join(str(error.problem).split())
        hint = "Correct the YAML there: a text that holds ': ' or ' #' needs quotes, and tabs do not indent."
        raise ConfigError(f"{place}: {what}.", hint) from None
    except (YAMLError, ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error).split("\n", 1)[0]
        raise ConfigError(f"{source}: not valid YAML: {what}.", "Correct the YAML.") from None


def plain(node: Any, place: str) -> Any:
    """Turn what ``parse`` gave (or a mapping from Python) into dicts, lists, strings, numbers, booleans and None.

    Args:
        node: Any part of the tree.
        place: What errors call it.

    Raises:
        ConfigError: If it holds a tag, or a key that is no text.
    """
    if isinstance(node, Mapping):
        return {_text_key(k, place): plain(v, _place(node, k, place)) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return [plain(v, place) for v in node]
    return _scalar(node, place)


def _scalar(node: Any, place: str) -> Any:
    if node is None or isinstance(node, Path):
        return None if node is None else str(node)
    if isinstance(node, bool | ScalarBoolean):  # before int: a bool is one
        return bool(node)
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    if hasattr(node, "isoformat"):  # a date: YAML 1.2 knows none, so it is a text
        return node.isoformat()
    hint = "Remove the tag; specs hold plain data only." if hasattr(node, "tag") else "Use plain data."
    raise ConfigError(f"{place}: expected a text, a number, true, false or null, got {type(node).__name__}.", hint)


def _text_key(key: Any, place: str) -> str:
    if isinstance(key, str):
        return str(key)
    raise ConfigError(f"{place}: expected a text as key, got {key!r}.", "Quote the key.")


def _place(node: Any, key: Any, place: str) -> str:
    lines = node.lc.data if isinstance(node, CommentedMap) else None
    return f"{re.sub(r':[0-9]+$', '', place)}:{lines[key][0] + 1}" if lines and key in lines else place


def line_of(tree: Any, path: Sequence[str | int]) -> tuple[int, bool]:
    """Find the line, from 1, that a path stands on, and whether it is there.

    Where a part is missing, the line is that of what should hold it.
    """
    node, line = tree, 1
    for part in path:
        inside = isinstance(node, CommentedMap) or (isinstance(node, CommentedSeq) and isinstance(part, int))
        if not inside or part not in (node.lc.data or ()):
            return line, False
        line = node.lc.data[part][0] + 1
        node = node[part]
    return line, True
