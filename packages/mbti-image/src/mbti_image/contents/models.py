"""Models for pictures."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

HE_2016 = Source(
    "Deep Residual Learning for Image Recognition",
    "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    "CVPR",
    2016,
    url="https://arxiv.org/abs/1512.03385",
    deviations=("pictures of at most 64 pixels get a 3 x 3 stem of stride 1 without pooling, and keep four stages",),
)

MODELS: tuple[Component, ...] = (
    Component("model", "image/cnn", "mbti_image.models.cnn:cnn", "Three convolutions with BatchNorm"),
    Component(
        "model",
        "image/resnet18",
        "mbti_image.models.resnet:resnet18",
        "18-layer ResNet, with a stem for small pictures",
        source=HE_2016,
        traits=frozenset({"large"}),
    ),
)
