"""The table of contents of mbti-audio: its modality; components follow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mbti_core.contracts.modality import Modality
from mbti_core.plugins.hookspecs import hookimpl


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return audio."""
    from mbti_audio.modality import AudioModality  # noqa: PLC0415 - keeps torch out of listings

    return [AudioModality()]
