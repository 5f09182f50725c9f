"""Data sets of texts."""

from __future__ import annotations

from mbti_core.contracts.component import Component

DATASETS: tuple[Component, ...] = (
    Component(
        "dataset",
        "text/reviews",
        "mbti_text.datasets.reviews:Reviews",
        "Made-up reviews, embedded: 1,600 rows, 2 classes, 10 to 20 words",
    ),
)
