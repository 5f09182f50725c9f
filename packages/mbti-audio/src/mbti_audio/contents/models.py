"""Models for sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component

MODELS: tuple[Component, ...] = ()
