"""Hooks on what somebody brings: a model or samples in files, and what is known of the defenses that judge them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mbti_core.plugins.hookspecs import hookspec

if TYPE_CHECKING:
    from mbti_core.contracts.given import ErrorRates, GivenData, GivenModel
    from mbti_core.contracts.model import ModelInfo


@hookspec(firstresult=True)
def mbti_given_model(path: Path, arch: str | None) -> GivenModel | None:
    """Say how a model in files is read.

    Called by ``mbti scan``; stops at the first answer that is not None. None means "not mine".

    Args:
        path: A file or a folder, which exists.
        arch: The architecture as a person names it, or None.

    Returns:
        What to build and what to load into it. Core's answer, the last one: a folder with ``model.json``, else the
        component called ``arch`` with the weights in ``path``.
    """


@hookspec(firstresult=True)
def mbti_given_data(path: Path, modality: str, info: ModelInfo | None) -> GivenData | None:
    """Open labelled samples in files.

    Called by ``mbti scan``; stops at the first answer that is not None. None means "not mine". A folder that holds
    folders ``train`` and ``test`` gives the rows of both.

    Args:
        path: A file or a folder, which exists.
        modality: Of the model.
        info: What the model is, where that is known: samples are brought to its size or rate.

    Returns:
        All samples below the path, unread.
    """


@hookspec
def mbti_error_rates() -> Iterable[ErrorRates]:  # type: ignore[empty-body]  # a spec has no body
    """Return how often the plugin's defenses are right on a bench of benign and backdoored models.

    Called by ``mbti scan``; every answer is used. Must import nothing heavy.

    Returns:
        One ``ErrorRates`` per defense and modality that a bench was run on.
    """
