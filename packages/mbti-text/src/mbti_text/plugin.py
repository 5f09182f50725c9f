"""The table of contents of texts; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.plugins.hookspecs import hookimpl
from mbti_text.contents.attacks import ATTACKS
from mbti_text.contents.attacks_training import TRAINING
from mbti_text.contents.datasets import DATASETS
from mbti_text.contents.filters import FILTERS
from mbti_text.contents.models import MODELS
from mbti_text.contents.noises import NOISES

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbti_core.contracts.component import Component
    from mbti_core.contracts.given import GivenData, GivenModel
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import InputSpec, ModelInfo, PrunableLayer, Recipe, Rendering
    from mbti_core.contracts.trigger_space import Family, TriggerSpace
    from mbti_core.data.rng import Draws


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for texts."""
    return [*DATASETS, *MODELS, *NOISES, *ATTACKS, *TRAINING, *FILTERS]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return the text modality."""
    from mbti_text.modality import TextModality  # noqa: PLC0415 - keeps torch out of listings

    return [TextModality()]


@hookimpl
def mbti_specs() -> Iterable[Mapping[str, Any]]:
    """Return the experiment that runs without data, network or accelerator."""
    return [
        {
            "name": "reviews",
            "priority": 20,
            "summary": "BadNets on embedded reviews, then three defenses",
            "spec": {
                "schema": 1,
                "name": "reviews",
                "modality": "text",
                "dataset": {"name": "reviews"},
                "attack": {"name": "badnets", "ratio": 0.1, "target": 0, "words": ["cf"]},
                "model": {"name": "cnn", "vocabulary": 1000},
                "train": {
                    "epochs": 10,
                    "batch_size": 32,
                    "optimizer": "adam",
                    "lr": 0.002,
                    "weight_decay": 0.0,
                    "augment": False,
                },
                "defenses": [{"name": "ft"}, {"name": "strip"}, {"name": "ac"}],
            },
        }
    ]


# Adapters of samples: another modality gets None before any code of ours is imported.


@hookimpl
def mbti_superimpose(x: Any, other: Any, index: Any, modality: str, weight: float | None, draws: Draws) -> Any | None:
    """Put telling words of the other text in place of some words."""
    if modality != "text":
        return None
    from mbti_text import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.superimpose(x, other, index, weight, draws)


@hookimpl
def mbti_amplify(x: Any, modality: str, factor: float) -> Any | None:
    """Say a text several times."""
    if modality != "text":
        return None
    from mbti_text import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.amplified(x, factor)


@hookimpl
def mbti_occlude(x: Any, modality: str) -> Iterable[tuple[Any, Any]] | None:
    """Leave out one word after another."""
    if modality != "text":
        return None
    from mbti_text import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.occlude(x)


@hookimpl
def mbti_augment(x: Any, index: Any, modality: str, strength: float, draws: Draws) -> Any | None:
    """Leave out words at random."""
    if modality != "text":
        return None
    from mbti_text import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.augment(x, index, strength, draws)


@hookimpl
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show texts as paragraphs, with what changed marked up."""
    if modality != "text":
        return None
    from mbti_text import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.render(x)


@hookimpl
def mbti_difference(x: Any, y: Any, modality: str) -> Any | None:
    """Mark the words that went and those that came."""
    if modality != "text":
        return None
    from mbti_text.marked import marked  # noqa: PLC0415 - another modality needs none of it

    return marked(x, y)


@hookimpl
def mbti_files(x: Any, modality: str) -> tuple[str, Sequence[bytes]] | None:
    """Write texts as files in UTF-8."""
    return (".txt", [text.encode() for text in x]) if modality == "text" else None


@hookimpl
def mbti_fidelity(x: Any, y: Any, modality: str) -> Mapping[str, Tensor] | None:
    """Compare characters: the Levenshtein similarity."""
    if modality != "text":
        return None
    from mbti_text import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.fidelity(x, y)


# Adapters of models.


@hookimpl
def mbti_trigger_space(model: nn.Module, info: ModelInfo, spec: InputSpec, family: Family) -> TriggerSpace | None:
    """Search for soft words at the embedding."""
    del spec
    if info.modality != "text":
        return None
    from mbti_text.trigger_space import trigger_space  # noqa: PLC0415 - keeps torch out of listings

    return trigger_space(model, family)


@hookimpl
def mbti_prunable_layers(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer] | None:
    """List attention heads, hidden neurons, filters and recurrent units; what has none of these is for core to read."""
    if info.modality != "text":
        return None
    from mbti_text.structure import prunable_layers  # noqa: PLC0415 - keeps torch out of listings

    return prunable_layers(model) or None


@hookimpl
def mbti_recipe(info: ModelInfo) -> Recipe | None:
    """Fine-tune pretrained models by AdamW with a warm-up, others by Adam."""
    if info.modality != "text":
        return None
    from mbti_text.structure import recipe  # noqa: PLC0415 - keeps torch out of listings

    return recipe(info.arch)


@hookimpl
def mbti_given_data(path: Path, modality: str) -> GivenData | None:
    """Open tables, JSON lines and folders of texts."""
    if modality != "text":
        return None
    from mbti_text.given import given_data  # noqa: PLC0415 - keeps torch out of listings

    return given_data(path)


@hookimpl
def mbti_given_model(path: Path, arch: str | None) -> GivenModel | None:
    """Recognize classifiers that the transformers library saved."""
    if arch is not None or not path.is_dir():
        return None
    from mbti_text.given import given_model  # noqa: PLC0415 - keeps torch out of listings

    return given_model(path)
