"""``mbti show``: one component with its settings, or one built-in experiment."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from json import dumps
from typing import Annotated, Any

import typer

from mbti_core.cli.completion import SPEC, complete_component, complete_kind
from mbti_core.cli.console import console, print_json, print_table
from mbti_core.cli.listing import described
from mbti_core.cli.options import Json, Modality, kind_of
from mbti_core.engine.built_in import built_in_specs
from mbti_core.errors import ConfigError, UnknownComponentError, near_names
from mbti_core.plugins.manager import Registered, registry


def show(
    kind: Annotated[str, typer.Argument(metavar="KIND", autocompletion=complete_kind)],
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_component())],
    modality: Modality = None,
    json: Json = False,
) -> None:
    """Show a component: settings, defaults, what it does, source."""
    wanted = kind_of(kind)
    if wanted == SPEC:
        _show_spec(name, json=json)
        return
    registered = find_by_name(wanted, name, modality)
    document = _document(registered)
    if json:
        print_json(document)
    else:
        _print(registered, document)


def _show_spec(name: str, *, json: bool) -> None:
    known = {s["name"]: s for s in built_in_specs(registry())}
    if name not in known:
        hint = f"{near_names(name, known)} Run 'mbti list specs'.".strip()
        raise UnknownComponentError(f"No built-in experiment is called {name!r}.", hint)
    if json:
        print_json(known[name])
        return
    from ruamel.yaml import YAML  # noqa: PLC0415 - used here alone

    YAML().dump(known[name]["spec"], sys.stdout)


def find_by_name(kind: str, name: str, modality: str | None) -> Registered:
    """Find a component by its name; the modality is needed only where several have one of that name."""
    if "/" in name or modality:
        return registry().find(kind, name, modality)
    found = [r for r in registry().components(kind) if r.component.name == name]
    if not found:
        raise registry().unknown(kind, name, None)
    if len(found) > 1:
        ids = " or ".join(r.component.id for r in found)
        raise ConfigError(f"{len(found)} plugins' modalities have a {kind} called {name!r}.", f"Say which: {ids}.")
    return found[0]


def _document(registered: Registered) -> dict[str, Any]:
    from mbti_core.engine.config import OPTIONS, settings_class  # noqa: PLC0415 - imports the component, so torch

    target, kind = registered.load(), registered.component.kind
    document = {**described(registered), "doc": inspect.getdoc(target) or ""}
    if kind == "defense":
        document |= {"needs": sorted(target.needs), "yields": sorted(target.yields)}
    if kind == "dataset":
        document["card"] = _card(settings_class(registered)())
    if kind in OPTIONS:
        document["settings"] = settings_class(registered).model_json_schema()
        document["stage_settings"] = OPTIONS[kind].model_json_schema()
    return document


def _card(source: Any) -> dict[str, Any]:
    """Return what a data set's card says, as plain data."""
    card = source.card()
    fetched = [] if card.origin is None else [d.url for d in card.origin.downloads]
    facts = {"classes": list(card.classes), "rows": card.counts, "licence": card.licence, "citation": card.citation}
    return {**facts, "shape": list(card.input.shape), "facts": card.facts, "downloads": fetched}


def _print(registered: Registered, document: Mapping[str, Any]) -> None:
    out, component = console(), registered.component
    out.print(f"{component.kind} {component.id}: {component.summary}\n", soft_wrap=True)
    for label in ("needs", "yields", "traits"):
        if document.get(label):
            out.print(f"{label}: {', '.join(document[label])}")
    out.print(f"\n{document['doc']}\n", soft_wrap=True)
    for label, value in document.get("card", {}).items():
        if value:
            out.print(f"{label}: {_words(value)}", soft_wrap=True)
    rows = [row for part in ("settings", "stage_settings") for row in _settings(document.get(part, {}))]
    if rows:
        print_table(("setting", "type", "default", "meaning"), rows)
    if source := component.source:
        out.print(
            f"Source: {source.authors}. {source.title}. {source.venue}, {source.year}. {source.url}".strip(),
            soft_wrap=True,
        )
        for deviation in source.deviations:
            out.print(f"  Differs: {deviation}", soft_wrap=True)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{n:,} {name}" if type(n) is int else f"{name} {n}" for name, n in value.items())
    return ", ".join("any" if v is None else str(v) for v in value) if isinstance(value, list) else str(value)


def _settings(schema: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    return [
        (
            name,
            _type(prop),
            "required" if name in required else dumps(prop.get("default")),
            prop.get("description", ""),
        )
        for name, prop in schema.get("properties", {}).items()
    ]


_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def _type(prop: Mapping[str, Any]) -> str:
    """Say a JSON schema's type in words: ``integer at least 1``, ``sgd | adam``."""
    if "anyOf" in prop:
        return " | ".join(_type(p) for p in prop["anyOf"])
    if "enum" in prop or "const" in prop:
        return " | ".join(map(str, prop.get("enum", [prop.get("const")])))
    name = str(prop.get("type", prop.get("$ref", "any").rpartition("/")[2]))
    if name == "array":
        name = f"list of {_type(prop.get('items', {}))}"
    return " ".join([name, *(f"{word} {prop[bound]}" for bound, word in _BOUNDS.items() if bound in prop)])
