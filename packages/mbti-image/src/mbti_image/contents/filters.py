"""Filters on pictures."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

LI_2021 = Source(
    "Backdoor Attack in the Physical World",
    "Yiming Li, Tongqing Zhai, Yong Jiang, Zhifeng Li, Shu-Tao Xia",
    "ICLR workshop on robust and reliable machine learning",
    2021,
    url="https://arxiv.org/abs/2104.02361",
    deviations=("one draw of the place", "an eighth of each side, which is 4 pixels of 32"),
)
LIU_2017 = Source(
    "Neural Trojans",
    "Yuntao Liu, Yang Xie, Ankur Srivastava",
    "ICCD",
    2017,
    url="https://arxiv.org/abs/1710.00942",
    deviations=("a fixed low-pass in place of a trained autoencoder (adapted)",),
)
QIU_2021 = Source(
    "DeepSweep: An Evaluation Framework for Mitigating DNN Backdoor Attacks using Data Augmentation",
    "Han Qiu, Yi Zeng, Shangwei Guo, Tianwei Zhang, Meikang Qiu, Bhavani Thuraisingham",
    "AsiaCCS",
    2021,
    url="https://arxiv.org/abs/2012.07006",
    deviations=(
        "milder medians and a milder loss of resolution, for small pictures (adapted)",
        "one random move, without a random padding before it",
        "half of the rows are fine-tuned by the policy of inference",
        "optimizer, learning rate and epochs come from the model's family",
    ),
)

FILTERS: tuple[Component, ...] = (
    Component(
        "defense",
        "image/shrinkpad",
        "mbti_image.filters.shrinkpad:ShrinkPad",
        "Pictures made smaller, somewhere on black",
        source=LI_2021,
        traits=frozenset({"lossy"}),
    ),
    Component(
        "defense",
        "image/lowpass",
        "mbti_image.filters.lowpass:LowPass",
        "Pictures without their finest detail",
        source=LIU_2017,
        traits=frozenset({"adapted", "lossy"}),
    ),
    Component(
        "defense",
        "image/deepsweep",
        "mbti_image.filters.deepsweep:DeepSweep",
        "Fine-tuning on pictures changed much, inference on pictures changed a little",
        source=QIU_2021,
        traits=frozenset({"adapted", "lossy"}),
    ),
)
