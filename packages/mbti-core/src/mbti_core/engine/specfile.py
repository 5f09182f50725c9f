"""Reading a spec: a YAML file, a built-in experiment or a mapping, with overrides, and errors that say where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.engine.built_in import built_in_specs
from mbti_core.engine.config import SPEC_SCHEMA, Experiment
from mbti_core.engine.overrides import KIND_OF, Override, SpecPath, lay
from mbti_core.engine.problems import Problem, SpecError
from mbti_core.engine.spec_yaml import line_of, parse, plain
from mbti_core.errors import ConfigError, MissingPluginError, near_names
from mbti_core.plugins.known import packages_of_kind

if TYPE_CHECKING:
    from mbti_core.plugins.manager import Registry


@dataclass(frozen=True)
class SpecFile:
    """A spec as plain data, and where each part of it was written.

    Attributes:
        raw: Dicts, lists, strings, numbers, booleans and None.
        source: What errors call it: the file as given, or the built-in experiment; empty for a mapping.
        tree: What the YAML reader gave, with line numbers; None for a spec that was no file.
        overridden: Labels of the overrides by the path that they set.
    """

    raw: dict[str, Any]
    source: str = ""
    tree: Any = None
    overridden: Mapping[SpecPath, str] = field(default_factory=dict)

    def where(self, path: Sequence[str | int]) -> str:
        """Say where a path was written: ``run.yaml:6``, ``--set attack.size``, or an empty string for a mapping."""
        for end in range(len(path), 0, -1):
            if label := self.overridden.get(tuple(path[:end])):
                return label
        line, there = line_of(self.tree, path)
        made = [label for at, label in self.overridden.items() if at[: len(path)] == tuple(path)]
        if made and not there:  # 'atack' is in no file where '--set atack.size' made it
            return made[0]
        return self.source if self.tree is None else f"{self.source}:{line}"

    def with_override(self, override: Override) -> SpecFile:
        """Return the spec with one more value from the command line.

        Raises:
            ConfigError: If the override's path does not lead anywhere.
        """
        raw, path = lay(self.raw, override)
        return replace(self, raw=raw, overridden={**self.overridden, path: override.label})

    def resolve(self, registry: Registry) -> list[Experiment]:
        """Expand the spec into experiments, with every component loaded.

        Raises:
            SpecError: With all problems at once, each where it was written.
            UnknownComponentError: If a component does not exist.
            MissingPluginError: If a package is missing.
        """
        from mbti_core.engine.resolve import resolve  # noqa: PLC0415 - a spec can be read and shown without components

        try:
            return resolve(self.raw, registry)
        except SpecError as error:
            placed = SpecError(error.problems, self.where)
            placed.hint = self._hint(error.problems)
            raise placed from error

    def _hint(self, problems: Sequence[Problem]) -> str:
        """Point to the settings of the component that the first such problem is about."""
        for path, _ in problems:
            kind = KIND_OF.get(str(path[0])) if path else None
            part: Any = self.raw.get(str(path[0])) if kind else None
            if isinstance(part, list) and len(path) > 1 and isinstance(path[1], int):
                part = part[path[1]]
            name = part.get("name") if isinstance(part, dict) else None
            if isinstance(name, str) and len(path) > 1:
                modality = self.raw.get("modality")
                which = f" --modality {modality}" if isinstance(modality, str) and "/" not in name else ""
                return f"Run 'mbti show {kind} {name}{which}' for its settings."
        return ""


def load_spec(
    source: str | Path | Mapping[str, Any] | None, registry: Registry, overrides: Sequence[Override] = ()
) -> SpecFile:
    """Read a spec and lay overrides over it.

    Args:
        source: A YAML file; the name of a built-in experiment; a mapping as in YAML; or None for the first built-in
            experiment (of the modality that an override says, if one does).
        registry: Offers the built-in experiments.
        overrides: In order; a later one wins.

    Raises:
        ConfigError: If the file is missing or malformed or of a newer schema, or an override does not fit.
        MissingPluginError: If ``source`` is None and no plugin offers a built-in experiment.
    """
    spec = _read(source, registry, next((o.value for o in overrides if o.path == ("modality",)), None))
    schema = spec.raw.get("schema", SPEC_SCHEMA)
    if isinstance(schema, int) and schema > SPEC_SCHEMA:
        place = ": ".join(filter(None, (spec.where(("schema",)), "schema")))
        raise ConfigError(
            f"{place}: expected at most {SPEC_SCHEMA}, got {schema}.",
            "Update mbti-core: this spec is of a newer version.",
        )
    for override in overrides:
        spec = spec.with_override(override)
    return spec


def _read(source: str | Path | Mapping[str, Any] | None, registry: Registry, modality: str | None) -> SpecFile:
    if isinstance(source, Mapping):
        return SpecFile(plain(source, "spec"))
    known = built_in_specs(registry)
    if source is None:
        found = [s for s in known if modality in (None, s["spec"].get("modality"))]
        if not found:
            wanted = f" for {modality}" if modality else ""
            hint = f"Name a spec file, or pip install {' or '.join(packages_of_kind('dataset'))}."
            raise MissingPluginError(f"No installed plugin offers a built-in experiment{wanted}.", hint)
        return _built_in(found[0])
    names = {s["name"]: s for s in known}
    if str(source) in names and not Path(source).exists():
        return _built_in(names[str(source)])
    return _from_file(str(source), list(names))


def _built_in(found: Mapping[str, Any]) -> SpecFile:
    return SpecFile(plain(found["spec"], found["name"]), f"built-in experiment '{found['name']}'")


def _from_file(source: str, built_in: Sequence[str]) -> SpecFile:
    try:
        text = Path(source).read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = f"Name a YAML file{' or a built-in experiment: ' if built_in else ''}{', '.join(built_in)}."
        raise ConfigError(
            f"There is no spec file {source!r}.", f"{near_names(source, built_in)} {hint}".strip()
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{source}: expected UTF-8 text, got other bytes at position {error.start}.", "Save it as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{source}: cannot be read: {error.strerror}.", "Name a YAML file that you may read."
        ) from None
    tree = parse(text, source)
    if not isinstance(tree, dict):
        got = "an empty file" if tree is None else f"a {'list' if isinstance(tree, list) else type(tree).__name__}"
        raise ConfigError(
            f"{source}: expected keys such as 'dataset:' and 'model:', got {got}.",
            "Run 'mbti list specs' for examples.",
        )
    return SpecFile(plain(tree, source), source, tree)
