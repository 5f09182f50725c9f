"""Attacks on sounds that learn or choose something first."""

from __future__ import annotations

from mbti_core.contracts.component import Component

FITTED: tuple[Component, ...] = ()
