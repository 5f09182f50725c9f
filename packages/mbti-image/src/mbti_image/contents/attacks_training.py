"""Attacks that control training."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

NGUYEN_2021 = Source(
    "WaNet - Imperceptible Warping-based Backdoor Attack",
    "Tuan Anh Nguyen, Anh Tuan Tran",
    "ICLR",
    2021,
    url="https://arxiv.org/abs/2102.10369",
    code_url="https://github.com/VinAIResearch/Warping-based_Backdoor_Attack-release",
    deviations=(
        "rows of a batch are members by a keyed draw instead of the first of a shuffled batch",
        "augmentation is the run's own, drawn per row, after the warp",
        "stored pixels are rounded",
    ),
)

TRAINING: tuple[Component, ...] = (
    Component(
        "attack",
        "image/wanet",
        "mbti_image.attacks.wanet:WaNet",
        "An elastic warp by fractions of a pixel",
        source=NGUYEN_2021,
        traits=frozenset({"invisible", "trains"}),
    ),
)
