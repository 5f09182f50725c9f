"""Noises on sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component

NOISES: tuple[Component, ...] = ()
