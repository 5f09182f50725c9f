"""Built-in experiments: what a bare ``mbti run`` runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbti_core.plugins.manager import Registry


def built_in_specs(registry: Registry) -> list[Mapping[str, Any]]:
    """List the experiments of all plugins, the one that a bare ``mbti run`` takes first."""
    answers = [spec for answer in registry.pm.hook.mbti_specs() for spec in answer]
    return sorted(answers, key=lambda s: (s["priority"], s["name"]))
