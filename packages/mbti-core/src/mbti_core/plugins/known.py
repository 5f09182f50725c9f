"""Install hints, read from ``known_packages.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _known() -> dict[str, Any]:
    return tomllib.loads(files("mbti_core").joinpath("known_packages.toml").read_text(encoding="utf-8"))


def package_of_modality(modality: str) -> str | None:
    """Name the package that brings a modality, if it is one of ours."""
    name: str | None = _known()["modalities"].get(modality)
    return name


def packages_of_kind(kind: str) -> list[str]:
    """Name our packages that bring components of a kind."""
    return list(_known()["kinds"].get(kind, []))


def may_offer(distribution: str, kind: str, modality: str | None) -> bool:
    """Tell whether a distribution may bring such a component: ours bring what the file says, others anything."""
    modalities: dict[str, str] = _known()["modalities"]
    if modality and distribution in modalities.values():
        return modalities.get(modality) == distribution
    ours = {name for names in _known()["kinds"].values() for name in names}
    return distribution not in ours or distribution in packages_of_kind(kind)
