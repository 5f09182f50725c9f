"""Values from the command line, laid over a spec."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mbti_core.engine.config import OPTIONS
from mbti_core.engine.spec_yaml import parse, plain
from mbti_core.errors import ConfigError, near_names

SpecPath = tuple[str | int, ...]
KIND_OF = {"dataset": "dataset", "noise": "noise", "attack": "attack", "model": "model", "defenses": "defense"}
"""Kind of component by the spec key that holds it."""


class Override(NamedTuple):
    """A value from the command line.

    Attributes:
        label: How the person wrote it, e.g. ``--set attack.size`` or ``--attack``; errors name it.
        path: Keys; within a list, an index or a component's name.
        value: Plain data; for a component, its name or a list of names.
    """

    label: str
    path: tuple[str, ...]
    value: Any


def parse_set(text: str) -> Override:
    """Read one ``KEY.PATH=VALUE``; the value is YAML (``0.05``, ``[0, 1]``, ``true``), an empty one is null.

    Raises:
        ConfigError: If there is no '=', no key, or no valid YAML.
    """
    dotted, equals, value = text.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path):
        raise ConfigError(f"--set {text}: expected KEY.PATH=VALUE.", "For example --set attack.ratio=0.05.")
    label = f"--set {dotted.strip()}"
    if path[0] == "grid":  # the keys of a grid are themselves dotted
        path = ("grid", ".".join(path[1:])) if path[1:] else path
    return Override(label, path, plain(parse(value, label), label))


def lay(raw: Mapping[str, Any], override: Override) -> tuple[dict[str, Any], SpecPath]:
    """Return a copy of a spec with the override in it, and the path that was set.

    Naming another component keeps the stage-level keys beside it (``ratio``, ``train``, ...) and drops the settings
    of the one before. What the command line sets no longer varies in the grid.

    Raises:
        ConfigError: If the path does not lead anywhere.
    """
    path = override.path[:-1] if override.path[-1] == "name" and override.path[0] in KIND_OF else override.path
    spec = copy.deepcopy(dict(raw))
    for axis in [a for a in _axes(spec) if a in (".".join(path), ".".join(override.path))]:
        del spec["grid"][axis]
    at: Any = spec
    trail: list[str | int] = []
    for part in path[:-1]:
        key = _key(at, part, override)
        trail.append(key)
        at[key] = _opened(_child(at, key), trail, override)
        at = at[key]
    last = _key(at, path[-1], override)
    path_set: SpecPath = (*trail, last)
    at[last] = _value(spec, at, path_set, override)
    renamed = path_set[0] in KIND_OF and isinstance(override.value, str) and isinstance(at[last], dict)
    return spec, (*path_set, "name") if renamed else path_set


def _child(at: Any, key: Any) -> Any:
    return at[key] if isinstance(at, list) else at.get(key)


def _axes(spec: Mapping[str, Any]) -> Sequence[str]:
    grid = spec.get("grid")
    return list(grid) if isinstance(grid, dict) else []


def _key(at: Any, part: str, override: Override) -> str | int:
    """Return the key itself, or the index of a list's item by number or by its component's name."""
    if not isinstance(at, list):
        return part
    names = [_name(item) for item in at]
    if part.isdigit() and int(part) < len(at):
        return int(part)
    if part in names:
        return names.index(part)
    known = [n for n in names if n]
    text = f"expected an index below {len(at)} or one of {', '.join(known) or 'no names'}, got {part!r}"
    raise ConfigError(f"{override.label}: {text}.", near_names(part, known) or "Name an item that the spec holds.")


def _opened(child: Any, trail: Sequence[str | int], override: Override) -> dict[str, Any] | list[Any]:
    """Return what a path leads through; a component given by its name alone becomes a mapping."""
    if child is None:
        return {}
    if isinstance(child, str) and trail[0] in KIND_OF and len(trail) <= 2:
        return {"name": child}
    if isinstance(child, dict | list):
        return child
    dotted = ".".join(map(str, trail))
    raise ConfigError(f"{override.label}: {dotted} is {child!r}, which has no keys.", f"Set {dotted} itself.")


def _value(spec: dict[str, Any], at: Any, path: SpecPath, override: Override) -> Any:
    kind = KIND_OF.get(str(path[0]))
    names = override.value if isinstance(override.value, list) else [override.value]
    if kind is None or len(path) > (1 if isinstance(at, dict) else 2) or not all(isinstance(n, str) for n in names):
        return override.value
    if kind in ("dataset", "attack"):
        spec.pop("name", None)  # the experiment's name spoke of another one
    before = _child(at, path[-1])
    if not isinstance(override.value, list) and not isinstance(before, list):
        return _renamed(kind, before, override.value)
    there = {_name(item): item for item in (before if isinstance(before, list) else [before])}
    return [there.get(name, {"name": name}) for name in names if name != "none"]


def _renamed(kind: str, before: Any, name: str) -> Any:
    if name == "none" or not isinstance(before, dict):
        return name
    if _name(before) == name:
        return before
    stays = {k: v for k, v in before.items() if k in OPTIONS[kind].model_fields and k != "weights"}
    return {"name": name, **stays}


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else item
    return name if isinstance(name, str) else None
