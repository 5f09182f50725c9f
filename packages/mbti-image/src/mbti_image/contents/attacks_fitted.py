"""Attacks that learn their trigger before training."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

_TWIN = "the clean model is the benign twin, trained on the same rows as the victim"

TURNER_2019 = Source(
    "Label-Consistent Backdoor Attacks",
    "Alexander Turner, Dimitris Tsipras, Aleksander Madry",
    "arXiv 1912.02771",
    2019,
    url="https://arxiv.org/abs/1912.02771",
    code_url="https://github.com/MadryLab/label-consistent-backdoor-code",
    deviations=(
        _TWIN + ", made robust by a thousand steps of one-step adversarial training",
        "20 iterations of projected gradient ascent, where published code makes 100; the bound is reached after 6",
    ),
)
ZENG_2021 = Source(
    "Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective",
    "Yi Zeng, Won Park, Z. Morley Mao, Ruoxi Jia",
    "ICCV",
    2021,
    url="https://arxiv.org/abs/2104.03413",
    code_url="https://github.com/YiZeng623/frequency-backdoor",
    deviations=(
        "Adam on the input of the low-pass filter, over random rows, where the authors add up filtered steps of "
        "DeepFool over 100 pictures",
        _TWIN,
        "pixels are rounded where published code truncates",
    ),
)
ZENG_2023 = Source(
    "Narcissus: A Practical Clean-Label Backdoor Attack with Limited Information",
    "Yi Zeng, Minzhou Pan, Hoang Anh Just, Lingjuan Lyu, Meikang Qiu, Ruoxi Jia",
    "ACM CCS",
    2023,
    url="https://arxiv.org/abs/2204.05255",
    code_url="https://github.com/reds-lab/Narcissus",
    deviations=(
        _TWIN + ", where the authors train on public pictures of other classes and warm up on the target class: "
        "the attacker knows more",
        "300 steps on random rows, where the authors make 1,000 passes over the target class",
        "pictures are varied by the modality's own augmentation",
    ),
)

LI_2021 = Source(
    "Invisible Backdoor Attack with Sample-Specific Triggers",
    "Yuezun Li, Yiming Li, Baoyuan Wu, Longkang Li, Ran He, Siwei Lyu",
    "ICCV",
    2021,
    url="https://arxiv.org/abs/2012.03816",
    code_url="https://github.com/yuezunli/ISSBA",
    deviations=(
        "half the channels, 2,000 pictures, a higher learning rate on a cosine: a minute instead of hours on a CPU",
        "likeness is the mean squared change alone, without a perceptual loss or a critic; its weight grows from 0",
        "the change is scaled once so that its mean peak signal-to-noise ratio is the same at each seed",
        "the reader is trained on pixels rounded to 8 bits, as they are stored",
        "pictures of any size",
    ),
)

FITTED: tuple[Component, ...] = (
    Component(
        "attack",
        "image/lc",
        "mbti_image.attacks.lc:LabelConsistent",
        "Perturbed pictures of the target class with a pattern in the corners",
        source=TURNER_2019,
        traits=frozenset({"additive", "clean_label", "learned", "sample_specific", "surrogate", "visible"}),
    ),
    Component(
        "attack",
        "image/lf",
        "mbti_image.attacks.lf:LowFrequency",
        "A smooth pattern found against a clean model",
        source=ZENG_2021,
        traits=frozenset({"adapted", "additive", "faint", "learned", "surrogate"}),
    ),
    Component(
        "attack",
        "image/narcissus",
        "mbti_image.attacks.narcissus:Narcissus",
        "A faint pattern that a clean model takes for the target class",
        source=ZENG_2023,
        traits=frozenset({"adapted", "additive", "clean_label", "faint", "learned", "surrogate"}),
    ),
    Component(
        "attack",
        "image/ssba",
        "mbti_image.attacks.ssba:SSBA",
        "A hidden message, a change of its own in each picture",
        source=LI_2021,
        traits=frozenset({"additive", "faint", "learned", "sample_specific"}),
    ),
)
