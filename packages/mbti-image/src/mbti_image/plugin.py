"""The table of contents of images; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.plugins.hookspecs import hookimpl
from mbti_image.contents.attacks_fitted import FITTED
from mbti_image.contents.attacks_fixed import FIXED
from mbti_image.contents.attacks_training import TRAINING
from mbti_image.contents.datasets import DATASETS
from mbti_image.contents.filters import FILTERS
from mbti_image.contents.models import MODELS
from mbti_image.contents.noises import NOISES

if TYPE_CHECKING:
    from torch import Tensor

    from mbti_core.contracts.component import Component
    from mbti_core.contracts.given import GivenData, GivenModel
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import InputSpec, ModelInfo, Recipe, Rendering
    from mbti_core.contracts.trigger_space import Family, TriggerSpace
    from mbti_core.data.rng import Draws


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for images."""
    return [*DATASETS, *MODELS, *NOISES, *FIXED, *FITTED, *TRAINING, *FILTERS]


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
                # At 4 % the poison is the smaller part of its class, as activation clustering expects, at 10 % not.
                "attack": {"name": "badnets", "ratio": 0.04, "target": 0},
                "model": {"name": "cnn"},
                "train": {"epochs": 12, "batch_size": 64, "lr": 0.05, "augment": False},
                "defenses": [{"name": "ft"}, {"name": "strip"}, {"name": "ac"}],
            },
        }
    ]


# Adapters: another modality gets None before any code of ours is imported.


@hookimpl
def mbti_superimpose(x: Any, other: Any, modality: str, weight: float | None) -> Any | None:
    """Add pixels."""
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
def mbti_augment(
    x: Any, index: Any, modality: str, strength: float, draws: Draws, facts: Mapping[str, Any]
) -> Any | None:
    """Crop at random, and mirror where the data set allows it."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.augment(x, index, strength, draws, facts)


@hookimpl
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show pictures as PNG inside the page."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.render(x)


@hookimpl
def mbti_difference(x: Any, y: Any, modality: str, factor: float) -> Any | None:
    """Enlarge the difference of pixels, around mid-gray."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.difference(x, y, factor)


@hookimpl
def mbti_picture(rows: Sequence[Any], modality: str) -> bytes | None:
    """Lay pictures out in a grid."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.picture(rows)


@hookimpl
def mbti_files(x: Any, modality: str) -> tuple[str, Sequence[bytes]] | None:
    """Write pictures as PNG."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return ".png", adapters.png_files(x)


@hookimpl
def mbti_fidelity(x: Any, y: Any, modality: str) -> Mapping[str, Tensor] | None:
    """Compare pixels: peak signal-to-noise ratio in dB, and structural similarity."""
    if modality != "image":
        return None
    from mbti_image.fidelity import fidelity  # noqa: PLC0415 - keeps torch out of listings

    return fidelity(x, y)


@hookimpl
def mbti_trigger_space(model: Any, info: ModelInfo, spec: InputSpec, family: Family) -> TriggerSpace | None:
    """Replace masked pixels by a pattern, or shift all of them a little."""
    if info.modality != "image":
        return None
    from mbti_image.trigger_space import trigger_space  # noqa: PLC0415 - keeps torch out of listings

    return trigger_space(model, spec, family)


@hookimpl
def mbti_recipe(info: ModelInfo) -> Recipe | None:
    """Fine-tune transformers by AdamW; for all else core's recipe stands."""
    if info.modality != "image":
        return None
    from mbti_image.recipes import recipe  # noqa: PLC0415 - another modality needs none of it

    return recipe(info.arch)


@hookimpl
def mbti_given_data(path: Path, modality: str, info: ModelInfo | None) -> GivenData | None:
    """Open folders of pictures."""
    if modality != "image":
        return None
    from mbti_image.given import given_data  # noqa: PLC0415 - keeps torch out of listings

    return given_data(path, info)


@hookimpl
def mbti_given_model(path: Path, arch: str | None) -> GivenModel | None:
    """Take ``timm/NAME`` as an architecture of timm."""
    collection, slash, name = (arch or "").partition("/")
    if collection != "timm" or not slash:
        return None
    from mbti_core.contracts.given import GivenModel  # noqa: PLC0415 - as above

    return GivenModel("image/timm", {"arch": name}, weights=path)
