"""Noise on pictures."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

YU_2025 = Source(
    "BackdoorMBTI: A Backdoor Learning Multimodal Benchmark Tool Kit for Backdoor Defense Evaluation",
    "Haiyang Yu, Tian Xie, Jiaping Gui, Pengyang Wang, Ping Yi, Yue Wu",
    "KDD",
    2025,
    url="https://arxiv.org/abs/2411.11006",
    code_url="https://github.com/SJTUHaiyangYu/BackdoorMBTI",
    deviations=("drawn once per row instead of at each access", "rounded to the levels that a file holds"),
)

NOISES: tuple[Component, ...] = (
    Component(
        "noise", "image/gaussian", "mbti_image.noise.gaussian:Gaussian", "Gaussian noise on pixels", source=YU_2025
    ),
)
