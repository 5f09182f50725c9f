"""The table of contents of the defenses; imports neither torch nor a defense."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files

from mbti_core.contracts.component import Component, Source
from mbti_core.contracts.given import ErrorRates
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
FP_2018 = replace(
    LIU_2018,
    deviations=(
        "a relative loss of 10 % of clean accuracy as the limit, in steps of 1 % of the units",
        "the last layer whose units can be removed, whatever its kind",
    ),
)
ZHENG_2022 = Source(
    "Data-free Backdoor Removal based on Channel Lipschitzness",
    "Runkai Zheng, Rongjun Tang, Jianze Li, Li Liu",
    "ECCV",
    2022,
    url="https://arxiv.org/abs/2208.03111",
    deviations=(
        "the BatchNorm's epsilon counts",
        "layers without a BatchNorm of their own are adapted: a unit's own weights, and 1 % of a layer at most",
    ),
)
LI_2021 = Source(
    "Anti-Backdoor Learning: Training Clean Models on Poisoned Data",
    "Yige Li, Xixiang Lyu, Nodens Koren, Lingjuan Lyu, Bo Li, Xingjun Ma",
    "NeurIPS",
    2021,
    url="https://arxiv.org/abs/2110.11571",
    deviations=(
        "optimizer, learning rate and epochs before the isolation come from the model's family",
        "on the rest it trains as the model under suspicion was trained",
        "the last epochs descend on as many other rows in the same batches, as equation 4 has it",
        "the ascent stops at twice the loss of a model that knows nothing",
        "isolation within an epoch, for models that are pretrained, is adapted",
    ),
)
WANG_2019 = Source(
    "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
    "Bolun Wang, Yuanshun Yao, Shawn Shan, Huiying Li, Bimal Viswanath, Haitao Zheng, Ben Y. Zhao",
    "IEEE S&P",
    2019,
    url="https://people.cs.uchicago.edu/~ravenben/publications/pdf/backdoor-sp19.pdf",
    deviations=(
        "a class's own samples do not count for its trigger",
        "the index of the sizes' logarithms, with a limit that grows with the number of classes, 2.58 with 10",
        "the median deviation of sizes counts as a factor of 1.05 at least",
        "with fewer than 5 classes the ratio to the median of the others decides (adapted)",
        "triggers of texts and sounds are adapted",
        "unlearning by the recipe of the model's family, a trigger in half of the batches",
        "pruning, as an option, in the last prunable layer, for at most 10 % of clean accuracy",
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
        "a class whose clusters lie far further apart than the others' is flagged, whatever their sizes (adapted)",
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
            "any/fp",
            "mbti_defenses.repair.fp:FP",
            "Pruning of units that clean data leave idle, then fine-tuning",
            source=FP_2018,
        ),
        Component(
            "defense",
            "any/clp",
            "mbti_defenses.repair.clp:CLP",
            "Pruning of units that amplify more than their layer's others, without data",
            source=ZHENG_2022,
        ),
        Component(
            "defense",
            "any/abl",
            "mbti_defenses.repair.abl:ABL",
            "Training that isolates what is learned too easily, and unlearns it",
            source=LI_2021,
            version=3,
            traits=frozenset({"weak"}),  # where the task itself is easier than the trigger
        ),
        Component(
            "defense",
            "any/strip",
            "mbti_defenses.detect.strip:STRIP",
            "Predictions that superimposed samples don't disturb",
            source=GAO_2019,
            version=2,
        ),
        Component(
            "defense",
            "any/ac",
            "mbti_defenses.detect.ac:AC",
            "A second cluster in a class's features",
            source=CHEN_2018,
            version=2,
        ),
        Component(
            "defense",
            "any/nc",
            "mbti_defenses.inspect.nc:NC",
            "A class that a small trigger leads to, and unlearning that trigger",
            source=WANG_2019,
            version=5,
        ),
    ]


@hookimpl
def mbti_error_rates() -> Iterable[ErrorRates]:
    """Return what ``benchmarks/error_rates.py`` counted."""
    known = files("mbti_defenses").joinpath("error_rates.json")
    return [ErrorRates(**rates) for rates in json.loads(known.read_text(encoding="utf-8"))]
