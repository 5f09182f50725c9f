"""The toy plugin's table of contents: ``Registry().register(toy_plugin, "toy")``, or ``MBTI_EXTRA_PLUGINS``.

It is no entry point, so nobody finds toy components in a listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.contracts.component import Component
from mbti_core.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from mbti_core.contracts.given import GivenData
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import ModelInfo, Rendering
    from mbti_core.contracts.trigger_space import Family, TriggerSpace

_TOY = "mbti_core.testing.toy"
_DEFENSES = "mbti_core.testing.toy_defenses"
EXTRA = "toy=mbti_core.testing.toy_plugin"
"""The value of ``MBTI_EXTRA_PLUGINS`` that adds this plugin to other processes."""


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the toy components."""
    return [
        Component("dataset", "toy/blobs", f"{_TOY}:Blobs", "A bright blob in one of four quadrants"),
        Component("model", "toy/mlp", f"{_TOY}:mlp", "Two hidden layers with BatchNorm"),
        Component("model", "toy/conv", f"{_TOY}:conv", "Two convolutions with BatchNorm"),
        Component("attack", "toy/stamp", f"{_TOY}:Stamp", "A square in a corner"),
        Component(
            "attack", "toy/live-stamp", f"{_TOY}:LiveStamp", "A square on rows drawn anew", traits=frozenset({"trains"})
        ),
        Component("noise", "toy/fuzz", f"{_TOY}:Fuzz", "Gaussian noise on pixels"),
        Component("defense", "toy/outlier", f"{_DEFENSES}:Outlier", "Distance to the label's clean center"),
        Component("defense", "toy/retune", f"{_DEFENSES}:Retune", "A few steps on clean samples"),
        Component("defense", "toy/probe", f"{_DEFENSES}:Probe", "Which class a bright corner leads to"),
        Component("defense", "toy/blank", f"{_DEFENSES}:Blank", "Gray border before the model"),
    ]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return the toy modality."""
    from mbti_core.testing import toy  # noqa: PLC0415 - keeps torch out of listings

    return [toy.modality()]


@hookimpl
def mbti_superimpose(x: Any, other: Any, modality: str, weight: float | None) -> Any | None:
    """Add ``other`` times the weight (1 by default) and clip."""
    if modality != "toy":
        return None
    return (x.float() + (1.0 if weight is None else weight) * other.float()).clamp(0, 255).to(x.dtype)


@hookimpl
def mbti_amplify(x: Any, modality: str, factor: float) -> Any | None:
    """Multiply and clip."""
    return (x.float() * factor).clamp(0, 255).to(x.dtype) if modality == "toy" else None


@hookimpl
def mbti_trigger_space(info: ModelInfo, family: Family) -> TriggerSpace | None:
    """Give masks and patterns on pixels."""
    if info.modality != "toy" or family != "mask":
        return None
    from mbti_core.testing import toy  # noqa: PLC0415 - keeps torch out of listings

    return toy.MaskAndPattern()


@hookimpl
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show grids as tables."""
    if modality != "toy":
        return None
    from mbti_core.testing import toy  # noqa: PLC0415 - keeps torch out of listings

    return toy.render(x)


@hookimpl
def mbti_files(x: Any, modality: str) -> tuple[str, Sequence[bytes]] | None:
    """Write each grid's values one after another, a byte each."""
    return (".bin", [row.numpy().tobytes() for row in x]) if modality == "toy" else None


@hookimpl
def mbti_given_data(path: Path, modality: str) -> GivenData | None:
    """Open what ``mbti export`` writes: ``<class>/*.bin``."""
    if modality != "toy":
        return None
    from mbti_core.testing import toy  # noqa: PLC0415 - keeps torch out of listings

    return toy.given_data(path)


@hookimpl
def mbti_difference(x: Any, y: Any, modality: str, factor: float) -> Any | None:
    """Enlarge the difference around the middle."""
    return (128 + factor * (y.float() - x.float())).clamp(0, 255).to(x.dtype) if modality == "toy" else None
