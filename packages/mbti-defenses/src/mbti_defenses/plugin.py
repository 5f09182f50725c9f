"""The table of contents of the defenses; imports neither torch nor a defense."""

from __future__ import annotations

from collections.abc import Iterable

from mbti_core.contracts.component import Component, Source
from mbti_core.plugins.hookspecs import hookimpl

LIU_2018 = Source(
    "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks",
    "Kang Liu, Brendan Dolan-Gavitt, Siddharth Garg",
    "RAID",
    2018,
    url="https://arxiv.org/abs/1805.12185",
    deviations=(
        "optimizer, learning rate, schedule and batch size come from the model's family",
        "a share of the training size as clean data, not all of it",
    ),
)
GAO_2019 = Source(
    "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks",
    "Yansong Gao, Chang Xu, Derui Wang, Shiping Chen, Damith C. Ranasinghe, Surya Nepal",
    "ACSAC",
    2019,
    url="https://arxiv.org/abs/1902.06531",
    deviations=(
        "64 overlays instead of 100, the same for every sample",
        "natural logarithm",
        "threshold by empirical quantile; the authors' normal fit is an option",
        "judges the training data",
    ),
)
CHEN_2018 = Source(
    "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering",
    "Bryant Chen, Wilka Carvalho, Nathalie Baracaldo, Heiko Ludwig, Benjamin Edwards, Taesung Lee, Ian Molloy, "
    "Biplav Srivastava",
    "SafeAI at AAAI",
    2019,
    url="https://arxiv.org/abs/1811.03728",
    deviations=(
        "PCA instead of ICA",
        "silhouette on at most 2,000 rows of a class",
        "no exclusionary reclassification",
    ),
)


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the defenses."""
    return [
        Component("defense", "any/ft", "mbti_defenses.repair.ft:FT", "Fine-tuning on clean data", source=LIU_2018),
        Component(
            "defense",
            "any/strip",
            "mbti_defenses.detect.strip:STRIP",
            "Predictions that superimposed samples don't disturb",
            source=GAO_2019,
        ),
        Component(
            "defense",
            "any/ac",
            "mbti_defenses.detect.ac:AC",
            "A second cluster in a class's features",
            source=CHEN_2018,
        ),
    ]
