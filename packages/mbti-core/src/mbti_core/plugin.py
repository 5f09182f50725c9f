"""Core's own table of contents: what belongs to no modality."""

from __future__ import annotations

from collections.abc import Iterable

from mbti_core.contracts.component import Component
from mbti_core.plugins.hookspecs import hookimpl


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return label noise and the metrics."""
    return [
        Component(
            "noise",
            "any/mislabel",
            "mbti_core.noise.mislabel:Mislabel",
            "A share of the labels changed, once per data set",
        ),
        Component(
            "metric", "any/clean_accuracy", "mbti_core.results.metrics:clean_accuracy", "Accuracy on clean test rows"
        ),
        Component(
            "metric", "any/asr", "mbti_core.results.metrics:asr", "Share of triggered rows given the attacker's label"
        ),
        Component(
            "metric",
            "any/robust_accuracy",
            "mbti_core.results.metrics:robust_accuracy",
            "Share of triggered rows given their true label",
        ),
        Component(
            "metric",
            "any/largest_share",
            "mbti_core.results.metrics:largest_share",
            "Share of the most frequent prediction",
        ),
    ]
