"""The table of contents of sounds; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mbti_audio.contents.attacks import ATTACKS
from mbti_audio.contents.attacks_fitted import FITTED
from mbti_audio.contents.datasets import DATASETS
from mbti_audio.contents.models import MODELS
from mbti_audio.contents.noises import NOISES
from mbti_core.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from mbti_core.contracts.component import Component
    from mbti_core.contracts.modality import Modality


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for sounds."""
    return [*DATASETS, *MODELS, *NOISES, *ATTACKS, *FITTED]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return audio."""
    from mbti_audio.modality import AudioModality  # noqa: PLC0415 - keeps torch out of listings

    return [AudioModality()]
