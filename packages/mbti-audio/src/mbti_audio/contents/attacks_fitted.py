"""Attacks on sounds that learn or choose something first."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

_TWIN = "the clean model is the benign twin, trained on the same rows as the victim"

LIU_2022 = Source(
    "Opportunistic Backdoor Attacks: Exploring Human-imperceptible Vulnerabilities on Speech Recognition Systems",
    "Qiang Liu, Tongqing Zhou, Zhiping Cai, Yonghao Tang",
    "ACM Multimedia",
    2022,
    url="https://doi.org/10.1145/3503161.3548261",
    code_url="https://github.com/lqsunshine/DABA",
    deviations=(
        _TWIN,
        "the pool is 20 generated songs of three seconds each, where the authors cut recordings; a folder may be named",
        "hosts are drawn uniformly among rows of other classes, where the authors take those that the music changes "
        "most for the surrogate",
        "a row's level is drawn from 0, -5 ... -40 dBFS, where theirs go round; test rows hear -20 dBFS",
    ),
)
LAN_2024 = Source(
    "FlowMur: A Stealthy and Practical Audio Backdoor Attack with Limited Knowledge",
    "Jiahe Lan, Jie Wang, Baochen Yan, Zheng Yan, Elisa Bertino",
    "IEEE S&P",
    2024,
    url="https://arxiv.org/abs/2312.09665",
    code_url="https://github.com/cristinalan/FlowMur",
    deviations=(
        _TWIN + ", where the authors train on data of their own: the attacker knows more",
        "300 steps of 64 rows, where the authors make a thousand passes over 5,000",
        "no ambient noise is mixed in, neither in the search nor in poisoned rows",
        "a test row is x + t, where their code plays (x + t) / 2",
    ),
)

FITTED: tuple[Component, ...] = (
    Component(
        "attack",
        "audio/daba",
        "mbti_audio.attacks.daba:Daba",
        "Music in the background",
        source=LIU_2022,
        traits=frozenset({"additive", "learned", "local", "sample_specific", "stochastic", "surrogate", "visible"}),
    ),
    Component(
        "attack",
        "audio/flowmur",
        "mbti_audio.attacks.flowmur:FlowMur",
        "A learned sound at a random place, under true labels",
        source=LAN_2024,
        traits=frozenset(
            {"additive", "clean_label", "faint", "learned", "local", "sample_specific", "stochastic", "surrogate"}
        ),
    ),
)
