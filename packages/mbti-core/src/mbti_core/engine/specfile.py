"""Reading a spec: YAML with line numbers, overrides from the command line, and errors that say where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.timestamp import TimeStamp

from mbti_core.engine.config import OPTIONS, SPEC_SCHEMA
from mbti_core.engine.problems import Problem, SpecError
from mbti_core.errors import ConfigError, MissingPluginError, near_names
from mbti_core.plugins.known import packages_of_kind

if TYPE_CHECKING:
    from mbti_core.engine.config import Experiment
    from mbti_core.plugins.manager import Registry

SpecPath = tuple[str | int, ...]


class Override(NamedTuple):
    """A value from the command line.

    Attributes:
        label: How the person wrote it, e.g. ``--set attack.size`` or ``--attack``; errors name it.
        path: Dotted key path, e.g. ``attack.size``; a part may be an index or a component's name within a list.
        value: Plain data.
    """

    label: str
    path: str
    value: Any


@dataclass(frozen=True)
class SpecFile:
    """A spec as plain data, and where each part of it was written.

    Attributes:
        raw: Dicts, lists, strings, numbers, booleans and None.
        source: What errors call it: the file as given, or the built-in experiment.
        tree: What ruamel read, with line numbers; None for a spec that was no file.
        overridden: Labels of the overrides by the path that they set.
    """

    raw: dict[str, Any]
    source: str = ""
    tree: CommentedMap | None = None
    overridden: Mapping[SpecPath, str] = field(default_factory=dict)

    def where(self, path: Sequence[str | int]) -> str:
        """Say where a path was written: ``run.yaml:6``, ``--set attack.size``, or an empty string for a mapping."""
        for end in range(len(path), 0, -1):
            if label := self.overridden.get(tuple(path[:end])):
                return label
        if self.tree is None:
            return self.source
        return f"{self.source}:{_line(self.tree, path)}"

    def resolve(self, registry: Registry) -> list[Experiment]:
        """Expand the spec into experiments.

        Raises:
            ConfigError: With all problems at once, each where it was written.
            UnknownComponentError: If a component does not exist.
            MissingPluginError: If a package is missing.
        """
        from mbti_core.engine.resolve import resolve  # noqa: PLC0415 - reading a spec needs no components

        try:
            return resolve(self.raw, registry)
        except SpecError as error:
            placed = SpecError(error.problems, self.where)
            placed.hint = self._hint(error.problems)
            raise placed from error

    def _hint(self, problems: Sequence[Problem]) -> str:
        """Point to the settings of the component that the first problem is about, if it is about one."""
        for path, _ in problems:
            kind = {"defenses": "defense"}.get(str(path[0]), str(path[0])) if path else ""
            part: Any = self.raw.get(str(path[0])) if path else None
            if isinstance(part, list) and len(path) > 1 and isinstance(path[1], int):
                part = part[path[1]] if path[1] < len(part) else None
            name = part.get("name") if isinstance(part, dict) else None
            if kind in ("dataset", "noise", "attack", "model", "defense") and isinstance(name, str) and name != "none":
                return f"Run 'mbti show {kind} {name}' for its settings."
        return ""


def load_spec(source: str | Path | Mapping[str, Any] | None, registry: Registry, overrides: Sequence[Override] = ()) -> SpecFile:
    """Read a spec and lay overrides over it.

    Args:
        source: A YAML file; the name of a built-in experiment; a mapping as in YAML; or None for the first built-in
            experiment (of the modality that the overrides say, if they do).
        registry: Offers the built-in experiments.
        overrides: In order; a later one wins.

    Raises:
        ConfigError: If the file is missing or malformed, of a newer schema, or an override does not fit.
        MissingPluginError: If ``source`` is None and no plugin offers a built-in experiment.
    """
    if isinstance(source, Mapping):
        spec = SpecFile(_plain(source, "spec", ()))
    elif source is None:
        spec = _built_in(registry, next((o.value for o in overrides if o.path == "modality"), None))
    elif not Path(source).exists() and str(source) in (named := {s["name"]: s for s in built_in_specs(registry)}):
        spec = SpecFile(_plain(named[str(source)]["spec"], "", ()), f"built-in experiment '{source}'")
    else:
        spec = _from_file(str(source), registry)
    _check_schema(spec)
    for override in overrides:
        spec = _lay(spec, override)
    return spec


def built_in_specs(registry: Registry) -> list[Mapping[str, Any]]:
    """List the built-in experiments, the one that a bare ``mbti run`` takes first."""
    answers = [spec for answer in registry.pm.hook.mbti_specs() for spec in answer]
    return sorted(answers, key=lambda s: (s["priority"], s["name"]))


def _built_in(registry: Registry, modality: str | None) -> SpecFile:
    for found in built_in_specs(registry):
        if modality in (None, found["spec"].get("modality")):
            return SpecFile(_plain(found["spec"], "", ()), f"built-in experiment '{found['name']}'")
    wanted = f" for {modality}" if modality else ""
    packages = " or ".join(packages_of_kind("dataset"))
    raise MissingPluginError(f"No installed plugin offers a built-in experiment{wanted}.", f"Name a spec file, or pip install {packages}.")


def _from_file(source: str, registry: Registry) -> SpecFile:
    try:
        text = Path(source).read_text(encoding="utf-8")
    except FileNotFoundError:
        names = [s["name"] for s in built_in_specs(registry)]
        known = f"Built-in experiments: {', '.join(names)}." if names else ""
        hint = f"{near_names(source, names)} {known}".strip()
        raise ConfigError(f"There is no spec file '{source}'.", hint or "Name a YAML file that exists.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: expected UTF-8 text, found other bytes at position {error.start}.", "Save the file as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}.", "Name a YAML file that you may read.") from None
    tree = _parse(text, source)
    if not isinstance(tree, CommentedMap):
        found = "an empty file" if tree is None else f"a {'list' if isinstance(tree, CommentedSeq) else type(tree).__name__}"
        raise ConfigError(f"{source}: expected keys such as 'dataset:' and 'attack:', got {found}.", "Run 'mbti show spec' for an example.")
    return SpecFile(_plain(tree, source, ()), source, tree)


def _parse(text: str, source: str) -> Any:
    yaml = YAML(typ="rt")
    yaml.version = (1, 2)
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        what = " ".join((error.problem or str(error)).split())
        raise ConfigError(f"{place}: {what}.", "Correct the YAML there; strings with ': ' or '#' need quotes, and tabs do not indent.") from None
    except (YAMLError, ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error).split("\n", 1)[0]
        raise ConfigError(f"{source}: not valid YAML: {what}.", "Correct the YAML.") from None


def parse_value(text: str, label: str) -> Any:
    """Read the value of an override as YAML: ``0.05``, ``[0, 1]``, ``cifar10``; an empty text is None.

    Raises:
        ConfigError: If it is not valid YAML.
    """
    return _plain(_parse(text, label), label, ())


def parse_set(text: str) -> Override:
    """Read one ``--set key.path=value``.

    Raises:
        ConfigError: If there is no '=' or no key.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not all(path.split(".")):
        raise ConfigError(f"--set {text}: expected KEY.PATH=VALUE.", "For example --set attack.ratio=0.05.")
    return Override(f"--set {path}", path, parse_value(value, f"--set {path}"))


def _plain(node: Any, source: str, inside: tuple[int, ...]) -> Any:
    """Turn ruamel's types into plain ones, so that nothing later depends on how the spec was written."""
    if id(node) in inside:
        raise ConfigError(f"{source}: an alias refers to what contains it.", "Write the value out.")
    if isinstance(node, Mapping):
        within = (*inside, id(node))
        for key in node:
            if not isinstance(key, str):
                raise ConfigError(f"{_place(node, key, source)}: expected a text as key, got {key!r}.", "Quote the key.")
        return {str(k): _plain(v, _place(node, k, source), within) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(v, source, (*inside, id(node))) for v in node]
    if isinstance(node, ScalarBoolean):
        return bool(node)
    for plain in (bool, int, float, str):  # a bool is an int, so it comes first
        if isinstance(node, plain):
            return plain(node)
    if node is None or isinstance(node, Path):
        return None if node is None else str(node)
    if isinstance(node, TimeStamp) or hasattr(node, "isoformat"):
        return node.isoformat()
    raise ConfigError(f"{source}: expected a text, a number, true, false or null, got {type(node).__name__}.", "Remove the YAML tag.")


def _place(node: Mapping[Any, Any], key: Any, source: str) -> str:
    if not isinstance(node, CommentedMap):
        return source
    name = source.split(":", 1)[0]
    return f"{name}:{node.lc.data[key][0] + 1}" if key in (node.lc.data or {}) else source


def _line(tree: CommentedMap, path: Sequence[str | int]) -> int:
    """Find the line of a path; where a part is missing, that of the last part that is there."""
    node: Any = tree
    line: int = tree.lc.line + 1
    for part in path:
        there = (isinstance(node, CommentedMap) and part in node) or (
            isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node)
        )
        if not there:
            break
        if part in (node.lc.data or {}):
            line = node.lc.data[part][0] + 1
        node = node[part]
    return line
