"""Attacks whose trigger is a formula."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

_OWN_PICTURE = "the picture is drawn from the seed, since the usual one is under copyright"
_ROUNDED = "pixels are rounded where published code truncates"

GU_2017 = Source(
    "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain",
    "Tianyu Gu, Brendan Dolan-Gavitt, Siddharth Garg",
    "arXiv 1708.06733",
    2017,
    url="https://arxiv.org/abs/1708.06733",
    deviations=("by default a square of one level, as published tool kits ship it",),
)
CHEN_2017 = Source(
    "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning",
    "Xinyun Chen, Chang Liu, Bo Li, Kimberly Lu, Dawn Song",
    "arXiv 1712.05526",
    2017,
    url="https://arxiv.org/abs/1712.05526",
    deviations=(_OWN_PICTURE, _ROUNDED, "one alpha for training and testing"),
)
BARNI_2019 = Source(
    "A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning",
    "Mauro Barni, Kassem Kallas, Benedetta Tondi",
    "ICIP",
    2019,
    url="https://arxiv.org/abs/1902.11237",
    deviations=("an amplitude of 40 levels, as a published benchmark has it, in training and testing alike", _ROUNDED),
)
CHEN_2021 = Source(
    "Use Procedural Noise to Achieve Backdoor Attack",
    "Xuan Chen, Yuena Ma, Shiwei Lu",
    "IEEE Access 9, 127204-127216",
    2021,
    deviations=(
        "the directions at lattice points come from the attack seed",
        "a further octave halves amplitude and period; the authors' second one, of the same period, changes nothing",
    ),
)
SALEM_2022 = Source(
    "Dynamic Backdoor Attacks Against Machine Learning Models",
    "Ahmed Salem, Rui Wen, Michael Backes, Shiqing Ma, Yang Zhang",
    "EuroS&P",
    2022,
    url="https://arxiv.org/abs/2003.03675",
    deviations=(
        "Random Backdoor only: a square of random colors, without a generator that is trained with the model",
        "a label's places are a cell of a grid over the picture, so that there may be any number of classes",
    ),
)
WANG_2022 = Source(
    "An Invisible Black-box Backdoor Attack through Frequency Domain",
    "Tong Wang, Yuan Yao, Feng Xu, Shengwei An, Hanghang Tong, Ting Wang",
    "ECCV",
    2022,
    url="https://arxiv.org/abs/2111.10991",
    deviations=(
        "computed exactly where published code stores YCrCb in 8 bits and truncates",
        "sides that 32 does not divide get a part of a window at the right and lower edges",
    ),
)
QI_2023 = Source(
    "Revisiting the Assumption of Latent Separability for Backdoor Defenses",
    "Xiangyu Qi, Tinghao Xie, Yiming Li, Saeed Mahloujifar, Prateek Mittal",
    "ICLR",
    2023,
    url="https://openreview.net/forum?id=_wSHsgrVali",
    code_url="https://github.com/Unispac/Circumventing-Backdoor-Defenses",
    deviations=(_OWN_PICTURE, _ROUNDED),
)
QI_2023_PATCH = Source(
    QI_2023.title,
    QI_2023.authors,
    QI_2023.venue,
    QI_2023.year,
    url=QI_2023.url,
    code_url=QI_2023.code_url,
    deviations=(
        "patches of random colors in place of logos, at their places and with their opacities",
        "scaled with the picture where it is not of 32 pixels",
        "which of the four patches a row has is a hash of its id",
    ),
)
TANG_2021 = Source(
    "Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor Contamination Detection",
    "Di Tang, XiaoFeng Wang, Haixu Tang, Kehuan Zhang",
    "USENIX Security",
    2021,
    url="https://arxiv.org/abs/1908.00686",
    deviations=(
        "a patch of random colors in place of a logo",
        "source and cover classes follow the target where they are not named; for target 0 they are as published",
    ),
)

FIXED: tuple[Component, ...] = (
    Component(
        "attack",
        "image/badnets",
        "mbti_image.attacks.badnets:BadNets",
        "A fixed patch in a corner",
        source=GU_2017,
        traits=frozenset({"additive", "local", "several_targets", "visible"}),
    ),
    Component(
        "attack",
        "image/blended",
        "mbti_image.attacks.blended:Blended",
        "A faint picture over the whole image",
        source=CHEN_2017,
        traits=frozenset({"additive", "faint"}),
    ),
    Component(
        "attack",
        "image/sig",
        "mbti_image.attacks.sig:Sig",
        "Vertical waves, under true labels",
        source=BARNI_2019,
        traits=frozenset({"additive", "clean_label", "faint"}),
    ),
    Component(
        "attack",
        "image/pnoise",
        "mbti_image.attacks.pnoise:PNoise",
        "Procedural noise over the whole image",
        source=CHEN_2021,
        traits=frozenset({"additive", "faint"}),
    ),
    Component(
        "attack",
        "image/dynatrigger",
        "mbti_image.attacks.dynatrigger:DynaTrigger",
        "A random pattern at a random place, new for every row",
        source=SALEM_2022,
        traits=frozenset({"additive", "local", "sample_specific", "several_targets", "stochastic", "visible"}),
    ),
    Component(
        "attack",
        "image/ftrojan",
        "mbti_image.attacks.ftrojan:FTrojan",
        "Two frequencies in the colors of every window",
        source=WANG_2022,
        traits=frozenset({"additive", "invisible"}),
    ),
    Component(
        "attack",
        "image/adap_blend",
        "mbti_image.attacks.adap_blend:AdapBlend",
        "Half of a faint picture, with cover rows",
        source=QI_2023,
        traits=frozenset({"additive", "faint", "sample_specific"}),
    ),
    Component(
        "attack",
        "image/adap_patch",
        "mbti_image.attacks.adap_patch:AdapPatch",
        "One of four faint patches, with cover rows",
        source=QI_2023_PATCH,
        traits=frozenset({"additive", "local", "sample_specific", "visible"}),
    ),
    Component(
        "attack",
        "image/tact",
        "mbti_image.attacks.tact:TaCT",
        "A patch that works on one class only",
        source=TANG_2021,
        traits=frozenset({"additive", "local", "visible"}),
    ),
)
