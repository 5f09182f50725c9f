"""The table of contents of sounds; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_audio.contents.attacks import ATTACKS
from mbti_audio.contents.attacks_fitted import FITTED
from mbti_audio.contents.datasets import DATASETS
from mbti_audio.contents.filters import FILTERS
from mbti_audio.contents.models import MODELS
from mbti_audio.contents.noises import NOISES
from mbti_core.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbti_core.contracts.component import Component
    from mbti_core.contracts.given import GivenData, GivenModel
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe, Rendering
    from mbti_core.contracts.trigger_space import Family, TriggerSpace
    from mbti_core.data.rng import Draws


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for sounds."""
    return [*DATASETS, *MODELS, *NOISES, *ATTACKS, *FITTED, *FILTERS]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return audio."""
    from mbti_audio.modality import AudioModality  # noqa: PLC0415 - keeps torch out of listings

    return [AudioModality()]


@hookimpl
def mbti_specs() -> Iterable[Mapping[str, Any]]:
    """Return the experiment that runs without data, network or accelerator."""
    return [
        {
            "name": "melodies",
            "priority": 30,
            "summary": "An unheard tone on embedded melodies, then three defenses",
            "spec": {
                "schema": 1,
                "name": "melodies",
                "modality": "audio",
                "dataset": {"name": "melodies", "rate": 44100},
                "attack": {"name": "ultrasonic", "ratio": 0.1, "target": 0},
                "model": {"name": "m5", "width": 8},
                "train": {
                    "epochs": 15,
                    "batch_size": 32,
                    "optimizer": "adam",
                    "lr": 0.003,
                    "weight_decay": 0.0,
                    "augment": False,
                },
                "defenses": [{"name": "ft"}, {"name": "strip"}, {"name": "ac"}],
            },
        }
    ]


# Adapters of samples: another modality gets None before any code of ours is imported.


@hookimpl
def mbti_superimpose(x: Any, other: Any, modality: str, weight: float | None) -> Any | None:
    """Mix sounds at equal loudness, and clip."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.superimpose(x, other, weight)


@hookimpl
def mbti_amplify(x: Any, modality: str, factor: float) -> Any | None:
    """Multiply samples, and clip."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.scaled(x, factor)


@hookimpl
def mbti_occlude(x: Any, modality: str) -> Iterable[tuple[Any, Any]] | None:
    """Silence 20 ms after 20 ms."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.occlude(x)


@hookimpl
def mbti_augment(x: Any, index: Any, modality: str, strength: float, draws: Draws) -> Any | None:
    """Shift in time, change the level, add a little noise."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.augment(x, index, strength, draws)


@hookimpl
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show sounds as spectrograms with a player."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.render(x)


@hookimpl
def mbti_difference(x: Any, y: Any, modality: str, factor: float) -> Any | None:
    """Let what was added be heard, enlarged."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.difference(x, y, factor)


@hookimpl
def mbti_picture(rows: Sequence[Any], modality: str) -> bytes | None:
    """Lay spectrograms out in a grid."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.picture(rows)


@hookimpl
def mbti_files(x: Any, modality: str) -> tuple[str, Sequence[bytes]] | None:
    """Write sounds as WAV files of 16 bits, at their rate."""
    if modality != "audio":
        return None
    from mbti_audio import adapters  # noqa: PLC0415 - keeps torch out of listings

    return ".wav", adapters.wav_files(x)


@hookimpl
def mbti_fidelity(x: Any, y: Any, modality: str) -> Mapping[str, Tensor] | None:
    """Compare waves and spectra: signal-to-noise ratio and log-spectral distance, in dB."""
    if modality != "audio":
        return None
    from mbti_audio.fidelity import fidelity  # noqa: PLC0415 - keeps torch out of listings

    return fidelity(x, y)


# Adapters of models.


@hookimpl
def mbti_trigger_space(model: nn.Module, info: ModelInfo, spec: InputSpec, family: Family) -> TriggerSpace | None:
    """Replace masked stretches or bands by a pattern, or add a bounded wave."""
    if info.modality != "audio":
        return None
    from mbti_audio.trigger_space import trigger_space  # noqa: PLC0415 - keeps torch out of listings

    return trigger_space(model, spec, family, info.facts.get("rate"))


@hookimpl
def mbti_feature_layer(model: nn.Module, info: ModelInfo) -> FeatureTap | None:
    """Take what the head reads: the mean over windows, where there are several."""
    if info.modality != "audio":
        return None
    from mbti_audio.models.sound_model import SoundModel  # noqa: PLC0415 - keeps torch out of listings
    from mbti_core.contracts.model import FeatureTap  # noqa: PLC0415 - with it

    return FeatureTap("head") if isinstance(model, SoundModel) else None


@hookimpl
def mbti_prunable_layers(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer] | None:
    """List convolutions with their BatchNorm, recurrent units, and hidden neurons of transformers."""
    if info.modality != "audio":
        return None
    from mbti_audio.structure import prunable_layers  # noqa: PLC0415 - keeps torch out of listings

    return prunable_layers(model, info)


@hookimpl
def mbti_recipe(info: ModelInfo) -> Recipe | None:
    """Fine-tune pretrained models by AdamW, recurrent ones by Adam; for all else core's recipe stands."""
    if info.modality != "audio":
        return None
    from mbti_audio.structure import recipe  # noqa: PLC0415 - keeps torch out of listings

    return recipe(info.arch)


@hookimpl
def mbti_given_data(path: Path, modality: str, info: ModelInfo | None) -> GivenData | None:
    """Open folders of clips."""
    if modality != "audio":
        return None
    from mbti_audio.given import given_data  # noqa: PLC0415 - keeps torch out of listings

    return given_data(path, info)


@hookimpl
def mbti_given_model(path: Path, arch: str | None) -> GivenModel | None:
    """Recognize classifiers that the transformers library saved."""
    if arch is not None or not path.is_dir():
        return None
    from mbti_audio.given import given_model  # noqa: PLC0415 - keeps torch out of listings

    return given_model(path)
