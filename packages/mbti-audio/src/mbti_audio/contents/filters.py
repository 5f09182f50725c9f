"""Filters on sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

KOFFAS_2022 = Source(
    "Can You Hear It? Backdoor Attacks via Ultrasonic Triggers",
    "Stefanos Koffas, Jing Xu, Mauro Conti, Stjepan Picek",
    "WiseML",
    2022,
    url="https://arxiv.org/abs/2107.14569",
    deviations=("a share of the band, whatever the rate",),
)
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
        source=KOFFAS_2022,
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
