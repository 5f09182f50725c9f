"""Attacks that learn their trigger before training."""

from __future__ import annotations

from mbti_core.contracts.component import Component

FITTED: tuple[Component, ...] = ()
