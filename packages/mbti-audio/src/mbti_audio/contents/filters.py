"""Filters on sounds."""

from __future__ import annotations

from dataclasses import replace

from mbti_audio.contents.attacks import KOFFAS_2022
from mbti_core.contracts.component import Component, Source

LI_2021 = Source(
    "Backdoor Attack in the Physical World",
    "Yiming Li, Tongqing Zhai, Yong Jiang, Zhifeng Li, Shu-Tao Xia",
    "ICLR workshop on robust and reliable machine learning",
    2021,
    url="https://arxiv.org/abs/2104.02361",
    deviations=("time in place of height and width (adapted)",),
)

FILTERS: tuple[Component, ...] = (
    Component(
        "defense",
        "audio/bandlimit",
        "mbti_audio.filters.bandlimit:BandLimit",
        "Sounds without the upper part of their band",
        source=replace(KOFFAS_2022, deviations=("a share of the band, whatever the rate",)),
    ),
    Component(
        "defense",
        "audio/squeeze",
        "mbti_audio.filters.squeeze:Squeeze",
        "Sounds played faster, somewhere in silence",
        source=LI_2021,
        traits=frozenset({"adapted", "lossy"}),
    ),
)
