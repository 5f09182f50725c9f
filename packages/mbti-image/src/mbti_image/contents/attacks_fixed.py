"""Attacks whose trigger is a formula."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

GU_2017 = Source(
    "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain",
    "Tianyu Gu, Brendan Dolan-Gavitt, Siddharth Garg",
    "arXiv 1708.06733",
    2017,
    url="https://arxiv.org/abs/1708.06733",
    deviations=("a square of one level, as published tool kits ship it",),
)
CHEN_2017 = Source(
    "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning",
    "Xinyun Chen, Chang Liu, Bo Li, Kimberly Lu, Dawn Song",
    "arXiv 1712.05526",
    2017,
    url="https://arxiv.org/abs/1712.05526",
    deviations=(
        "the picture is drawn from the seed, since the usual one is under copyright",
        "pixels are rounded where published code truncates",
        "one alpha for training and testing",
    ),
)

FIXED: tuple[Component, ...] = (
    Component(
        "attack", "image/badnets", "mbti_image.attacks.badnets:BadNets", "A fixed patch in a corner", source=GU_2017
    ),
    Component(
        "attack",
        "image/blended",
        "mbti_image.attacks.blended:Blended",
        "A faint picture over the whole image",
        source=CHEN_2017,
    ),
)
