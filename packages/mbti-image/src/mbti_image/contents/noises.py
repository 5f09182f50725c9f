"""Noise on pictures."""

from __future__ import annotations

from dataclasses import replace

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
HENDRYCKS_2019 = Source(
    "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    "Dan Hendrycks, Thomas Dietterich",
    "ICLR",
    2019,
    url="https://arxiv.org/abs/1903.12261",
    code_url="https://github.com/hendrycks/robustness",
    code_licence="Apache-2.0",
)

NOISES: tuple[Component, ...] = (
    Component(
        "noise", "image/gaussian", "mbti_image.noise.gaussian:Gaussian", "Gaussian noise on pixels", source=YU_2025
    ),
    Component(
        "noise",
        "image/salt-pepper",
        "mbti_image.noise.salt_pepper:SaltPepper",
        "White and black pixels",
        source=replace(
            HENDRYCKS_2019,
            deviations=("whole pixels instead of single channels", "drawn once per row"),
        ),
    ),
    Component(
        "noise",
        "image/jpeg",
        "mbti_image.noise.jpeg:Jpeg",
        "Lossy compression as in a JPEG file",
        source=HENDRYCKS_2019,
    ),
    Component("noise", "image/blur", "mbti_image.noise.blur:Blur", "A Gaussian blur", source=HENDRYCKS_2019),
    Component(
        "noise",
        "image/brightness",
        "mbti_image.noise.brightness:Brightness",
        "A factor of light per picture",
        source=replace(
            HENDRYCKS_2019,
            deviations=("a factor in both directions, drawn per row, instead of an offset of HSV's value",),
        ),
    ),
    Component(
        "noise",
        "image/contrast",
        "mbti_image.noise.contrast:Contrast",
        "A factor of contrast per picture",
        source=replace(
            HENDRYCKS_2019,
            deviations=("a factor in both directions, drawn per row, around the mean of the gray picture",),
        ),
    ),
)
