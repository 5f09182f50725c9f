"""Data sets of pictures."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

ALPAYDIN_1998 = Source(
    "Optical Recognition of Handwritten Digits",
    "Ethem Alpaydin, Cenk Kaynak",
    "UCI Machine Learning Repository",
    1998,
    url="https://doi.org/10.24432/C50P49",
    deviations=("pixels repeated 2 x 2", "every fifth row of each class is a test row"),
)
KRIZHEVSKY_2009 = Source(
    "Learning Multiple Layers of Features from Tiny Images",
    "Alex Krizhevsky",
    "University of Toronto",
    2009,
    url="https://www.cs.toronto.edu/~kriz/cifar.html",
)

DATASETS: tuple[Component, ...] = (
    Component(
        "dataset",
        "image/digits",
        "mbti_image.datasets.digits:Digits",
        "Handwritten digits, embedded: 1,797 rows, 10 classes, 16 pixels",
        source=ALPAYDIN_1998,
    ),
    Component(
        "dataset",
        "image/cifar10",
        "mbti_image.datasets.cifar10:Cifar10",
        "Photographs: 60,000 rows, 10 classes, 32 pixels",
        source=KRIZHEVSKY_2009,
    ),
)
