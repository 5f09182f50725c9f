"""``mbti list``: what the installed plugins offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from mbti_core.cli.completion import SPEC, complete_kind
from mbti_core.cli.console import console, print_json, print_table
from mbti_core.cli.options import Json, Modality, kind_of
from mbti_core.contracts.component import KINDS, Component
from mbti_core.engine.built_in import built_in_specs
from mbti_core.plugins.known import packages_of_kind
from mbti_core.plugins.manager import Registered, registry


def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}, {SPEC}.", autocompletion=complete_kind),
    ] = None,
    modality: Modality = None,
    json: Json = False,
) -> None:
    """List components and built-in experiments."""
    kinds = list((*KINDS, SPEC) if kind is None else (kind_of(kind),))
    found = {k: registry().components(k, modality) for k in kinds if k != SPEC}
    specs = _specs(modality) if SPEC in kinds else []
    offered = {**found, SPEC: specs} if SPEC in kinds else found
    missing = {k: packages_of_kind(k) for k, entries in offered.items() if not entries and packages_of_kind(k)}
    if json:
        components = [described(r) for entries in found.values() for r in entries]
        print_json({"components": components, "specs": specs, "missing": missing})
        return
    rows = [_row(r) for entries in found.values() for r in entries]
    rows += [(SPEC, s["name"], s["modality"] or "", s["summary"], "", "", "") for s in specs]
    if rows:
        print_table(("kind", "name", "modality", "summary", "traits", "source", "plugin"), rows)
    for k, packages in missing.items():
        console().print(f"No {k} is installed: pip install {' or '.join(packages)}.", soft_wrap=True)


def described(registered: Registered) -> dict[str, Any]:
    """Return a component's line as plain data."""
    c = registered.component
    source = None if c.source is None else {k: v for k, v in vars(c.source).items() if v}
    facts = {"kind": c.kind, "id": c.id, "name": c.name, "modality": c.modality, "summary": c.summary}
    more = {"traits": sorted(c.traits), "version": c.version, "source": source, "extra": c.extra}
    return {**facts, **more, "plugin": registered.plugin, "distribution": registered.distribution}


def cited(component: Component) -> str:
    """Return the short form of a component's source: the first author's last name, and the year."""
    source = component.source
    return f"{source.authors.split(',')[0].split()[-1]} {source.year}" if source else ""


def _row(registered: Registered) -> Sequence[str]:
    c = registered.component
    return (c.kind, c.name, c.modality, c.summary, ", ".join(sorted(c.traits)), cited(c), registered.plugin)


def _specs(modality: str | None) -> list[Mapping[str, Any]]:
    found = [{**s, "modality": s["spec"].get("modality")} for s in built_in_specs(registry())]
    return [s for s in found if modality in (None, s["modality"])]
