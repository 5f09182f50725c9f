"""Words that the shell offers: kinds, component names, stages. Never imports torch; offers nothing rather than fail.

Spec files need nothing here: where nothing is offered, the shell completes files.
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from mbti_core.contracts.component import KINDS
from mbti_core.engine.built_in import built_in_specs
from mbti_core.errors import MbtiError
from mbti_core.plugins.manager import registry
from mbti_core.stages import VERSIONS

SPEC = "spec"
STAGES = tuple(VERSIONS)
_Pairs = list[tuple[str, str]]


def complete_kind(incomplete: str) -> list[str]:
    """Offer the kinds of components, and ``spec``."""
    return [k for k in (*KINDS, SPEC) if k.startswith(incomplete)]


def complete_stage(incomplete: str) -> list[str]:
    """Offer the stages."""
    return [s for s in STAGES if s.startswith(incomplete)]


def complete_component(kind: str | None = None) -> Callable[[typer.Context, str], _Pairs]:
    """Offer the components of a kind; without one, of the kind that the command's first argument says."""

    def offer(ctx: typer.Context, incomplete: str) -> _Pairs:
        try:
            pairs = _named(kind or str(ctx.params.get("kind")), ctx.params.get("modality"), full="/" in incomplete)
        except MbtiError:
            return []
        return [(name, summary) for name, summary in pairs.items() if name.startswith(incomplete)]

    return offer


def complete_plugin(incomplete: str) -> list[str]:
    """Offer the names of plugins."""
    try:
        return [s.name for s in registry().statuses if s.name.startswith(incomplete)]
    except MbtiError:
        return []


def complete_modality(incomplete: str) -> list[str]:
    """Offer the modalities that some component belongs to."""
    try:
        names = {r.component.modality for r in registry().components()} - {"any"}
    except MbtiError:
        return []
    return sorted(n for n in names if n.startswith(incomplete))


def _named(kind: str, modality: str | None, *, full: bool) -> dict[str, str]:
    if kind == SPEC:
        return {s["name"]: s["summary"] for s in built_in_specs(registry())}
    found = registry().components(kind, modality)
    return {(r.component.id if full else r.component.name): r.component.summary for r in found}
