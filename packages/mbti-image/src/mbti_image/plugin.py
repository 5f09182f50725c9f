"""The table of contents of images; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbti_core.contracts.component import Component, Source
from mbti_core.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import Rendering
    from mbti_core.data.rng import Draws

GU_2017 = Source(
    "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain",
    "Tianyu Gu, Brendan Dolan-Gavitt, Siddharth Garg",
    "arXiv 1708.06733",
    2017,
    url="https://arxiv.org/abs/1708.06733",
    deviations=("a square of one level, as published tool kits ship it",),
)
ALPAYDIN_1998 = Source(
    "Optical Recognition of Handwritten Digits",
    "Ethem Alpaydin, Cenk Kaynak",
    "UCI Machine Learning Repository",
    1998,
    url="https://doi.org/10.24432/C50P49",
    deviations=("pixels repeated 2 x 2", "every fifth row of each class is a test row"),
)


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for images."""
    return [
        Component(
            "dataset",
            "image/digits",
            "mbti_image.datasets.digits:Digits",
            "Handwritten digits, embedded: 1,797 rows, 10 classes, 16 pixels",
            source=ALPAYDIN_1998,
        ),
        Component(
            "model", "image/cnn", "mbti_image.models.cnn:cnn", "Three convolutions with BatchNorm, for small pictures"
        ),
        Component(
            "attack", "image/badnets", "mbti_image.attacks.badnets:BadNets", "A fixed patch in a corner", source=GU_2017
        ),
    ]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return the image modality."""
    from mbti_image.modality import modality  # noqa: PLC0415 - keeps torch out of listings

    return [modality()]


@hookimpl
def mbti_specs() -> Iterable[Mapping[str, Any]]:
    """Return the experiment that runs without data, network or accelerator."""
    return [
        {
            "name": "digits",
            "priority": 10,
            "summary": "BadNets on embedded handwritten digits, then three defenses",
            "spec": {
                "schema": 1,
                "name": "digits",
                "modality": "image",
                "dataset": {"name": "digits"},
                "attack": {"name": "badnets", "ratio": 0.1, "target": 0},
                "model": {"name": "cnn"},
                "train": {"epochs": 10, "batch_size": 64, "lr": 0.05, "augment": False},
                "defenses": [{"name": "ft"}, {"name": "strip"}, {"name": "ac"}],
            },
        }
    ]


# Adapters: another modality gets None before any code of ours is imported.


@hookimpl
def mbti_superimpose(x: Any, other: Any, modality: str, weight: float | None) -> Any | None:
    """Add pixels, and clip."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.superimpose(x, other, weight)


@hookimpl
def mbti_amplify(x: Any, modality: str, factor: float) -> Any | None:
    """Multiply pixels, and clip."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.scaled(x, factor)


@hookimpl
def mbti_occlude(x: Any, modality: str) -> Iterable[tuple[Any, Any]] | None:
    """Hide one patch after another behind the picture's mean color."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.occlude(x)


@hookimpl
def mbti_augment(x: Any, index: Any, modality: str, draws: Draws, facts: Mapping[str, Any]) -> Any | None:
    """Crop at random, and mirror where the data set allows it."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.augment(x, index, draws, facts)


@hookimpl
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show pictures as PNG inside the page."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.render(x)
