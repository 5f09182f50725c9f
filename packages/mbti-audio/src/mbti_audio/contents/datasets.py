"""Data sets of sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component

DATASETS: tuple[Component, ...] = ()
