"""Core's own table of contents: what belongs to no modality."""

from __future__ import annotations

from collections.abc import Iterable

from mbti_core.contracts.component import Component, Source
from mbti_core.plugins.hookspecs import hookimpl

YU_2025 = Source(
    "BackdoorMBTI: A Backdoor Learning Multimodal Benchmark Tool Kit for Backdoor Defense Evaluation",
    "Haiyang Yu, Tian Xie, Jiaping Gui, Pengyang Wang, Ping Yi, Yue Wu",
    "KDD",
    2025,
    url="https://arxiv.org/abs/2411.11006",
    code_url="https://github.com/SJTUHaiyangYu/BackdoorMBTI",
    deviations=("drawn once per data set instead of at each access", "a changed label is always another one"),
)
HAN_2018 = Source(
    "Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels",
    "Bo Han, Quanming Yao, Xingrui Yu, Gang Niu, Miao Xu, Weihua Hu, Ivor W. Tsang, Masashi Sugiyama",
    "NeurIPS",
    2018,
    url="https://arxiv.org/abs/1804.06872",
    code_url="https://github.com/bhanML/Co-teaching",
    deviations=("exactly the share of the rows instead of a draw for each row",),
)
PATRINI_2017 = Source(
    "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach",
    "Giorgio Patrini, Alessandro Rozza, Aditya Krishna Menon, Richard Nock, Lizhen Qu",
    "CVPR",
    2017,
    url="https://arxiv.org/abs/1609.03683",
    deviations=("exact counts per class instead of a draw for each row",),
)


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return label noise and the metrics."""
    return [
        Component(
            "noise",
            "any/mislabel",
            "mbti_core.noise.mislabel:Mislabel",
            "A share of the labels changed, once per data set",
            source=YU_2025,
        ),
        Component(
            "noise",
            "any/pairflip",
            "mbti_core.noise.pairflip:PairFlip",
            "A share of the labels changed to the next class",
            source=HAN_2018,
        ),
        Component(
            "noise",
            "any/confusion",
            "mbti_core.noise.confusion:Confusion",
            "Labels changed as a confusion matrix says",
            source=PATRINI_2017,
        ),
        Component(
            "metric", "any/clean_accuracy", "mbti_core.results.metrics:clean_accuracy", "Accuracy on clean test rows"
        ),
        Component(
            "metric", "any/asr", "mbti_core.results.metrics:asr", "Share of triggered rows given the attacker's label"
        ),
        Component(
            "metric",
            "any/robust_accuracy",
            "mbti_core.results.metrics:robust_accuracy",
            "Share of triggered rows given their true label",
        ),
        Component(
            "metric",
            "any/largest_share",
            "mbti_core.results.metrics:largest_share",
            "Share of the most frequent prediction",
        ),
    ]
