"""The table of contents of texts; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mbti_core.plugins.hookspecs import hookimpl
from mbti_text.contents.attacks import ATTACKS
from mbti_text.contents.datasets import DATASETS
from mbti_text.contents.models import MODELS
from mbti_text.contents.noises import NOISES

if TYPE_CHECKING:
    from mbti_core.contracts.component import Component
    from mbti_core.contracts.modality import Modality


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for texts."""
    return [*DATASETS, *MODELS, *NOISES, *ATTACKS]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return the text modality."""
    from mbti_text.modality import TextModality  # noqa: PLC0415 - keeps torch out of listings

    return [TextModality()]
