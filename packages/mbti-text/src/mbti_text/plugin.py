"""The table of contents of mbti-text: its modality; components follow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mbti_core.contracts.modality import Modality
from mbti_core.plugins.hookspecs import hookimpl


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return text."""
    from mbti_text.modality import TextModality  # noqa: PLC0415 - keeps torch out of listings

    return [TextModality()]
