"""The table of contents of images; imports neither torch nor a component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbti_core.contracts.component import Component, Source
from mbti_core.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import Rendering
    from mbti_core.data.rng import Draws

GU_2017 = Source(
    "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain",
    "Tianyu Gu, Brendan Dolan-Gavitt, Siddharth Garg",
    "arXiv 1708.06733",
    2017,
    url="https://arxiv.org/abs/1708.06733",
    deviations=("a square of one level, as published tool kits ship it",),
)
ALPAYDIN_1998 = Source(
    "Optical Recognition of Handwritten Digits",
    "Ethem Alpaydin, Cenk Kaynak",
    "UCI Machine Learning Repository",
    1998,
    url="https://doi.org/10.24432/C50P49",
    deviations=("pixels repeated 2 x 2", "every fifth row of each class is a test row"),
)
KRIZHEVSKY_2009 = Source(
    "Learning Multiple Layers of Features from Tiny Images",
    "Alex Krizhevsky",
    "University of Toronto",
    2009,
    url="https://www.cs.toronto.edu/~kriz/cifar.html",
)
HE_2016 = Source(
    "Deep Residual Learning for Image Recognition",
    "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    "CVPR",
    2016,
    url="https://arxiv.org/abs/1512.03385",
    deviations=("pictures of at most 64 pixels get a 3 x 3 stem of stride 1 without pooling, and keep four stages",),
)
CHEN_2017 = Source(
    "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning",
    "Xinyun Chen, Chang Liu, Bo Li, Kimberly Lu, Dawn Song",
    "arXiv 1712.05526",
    2017,
    url="https://arxiv.org/abs/1712.05526",
    deviations=(
        "the picture is drawn from the seed, since the usual one is under copyright",
        "pixels are rounded where published code truncates",
        "one alpha for training and testing",
    ),
)
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
YU_2025 = Source(
    "BackdoorMBTI: A Backdoor Learning Multimodal Benchmark Tool Kit for Backdoor Defense Evaluation",
    "Haiyang Yu, Tian Xie, Jiaping Gui, Pengyang Wang, Ping Yi, Yue Wu",
    "KDD",
    2025,
    url="https://arxiv.org/abs/2411.11006",
    code_url="https://github.com/SJTUHaiyangYu/BackdoorMBTI",
    deviations=("drawn once per row instead of at each access", "rounded to the levels that a file holds"),
)


@hookimpl
def mbti_register() -> Iterable[Component]:
    """Return the components for images."""
    return [
        Component(
            "dataset",
            "image/digits",
            "mbti_image.datasets.digits:Digits",
            "Handwritten digits, embedded: 1,797 rows, 10 classes, 16 pixels",
            source=ALPAYDIN_1998,
        ),
        Component(
            "dataset",
            "image/cifar10",
            "mbti_image.datasets.cifar10:Cifar10",
            "Photographs: 60,000 rows, 10 classes, 32 pixels",
            source=KRIZHEVSKY_2009,
        ),
        Component("model", "image/cnn", "mbti_image.models.cnn:cnn", "Three convolutions with BatchNorm"),
        Component(
            "model",
            "image/resnet18",
            "mbti_image.models.resnet:resnet18",
            "18-layer ResNet, with a stem for small pictures",
            source=HE_2016,
            traits=frozenset({"large"}),
        ),
        Component(
            "noise", "image/gaussian", "mbti_image.noise.gaussian:Gaussian", "Gaussian noise on pixels", source=YU_2025
        ),
        Component(
            "attack", "image/badnets", "mbti_image.attacks.badnets:BadNets", "A fixed patch in a corner", source=GU_2017
        ),
        Component(
            "attack",
            "image/blended",
            "mbti_image.attacks.blended:Blended",
            "A faint picture over the whole image",
            source=CHEN_2017,
        ),
        Component(
            "attack",
            "image/wanet",
            "mbti_image.attacks.wanet:WaNet",
            "An elastic warp by fractions of a pixel",
            source=NGUYEN_2021,
            traits=frozenset({"trains"}),
        ),
    ]


@hookimpl
def mbti_modalities() -> Iterable[Modality[Any]]:
    """Return the image modality."""
    from mbti_image.modality import modality  # noqa: PLC0415 - keeps torch out of listings

    return [modality()]


@hookimpl
def mbti_specs() -> Iterable[Mapping[str, Any]]:
    """Return the experiment that runs without data, network or accelerator."""
    return [
        {
            "name": "digits",
            "priority": 10,
            "summary": "BadNets on embedded handwritten digits, then three defenses",
            "spec": {
                "schema": 1,
                "name": "digits",
                "modality": "image",
                "dataset": {"name": "digits"},
                # At 4 % the poison is the smaller part of its class, as activation clustering expects, at 10 % not.
                "attack": {"name": "badnets", "ratio": 0.04, "target": 0},
                "model": {"name": "cnn"},
                "train": {"epochs": 12, "batch_size": 64, "lr": 0.05, "augment": False},
                "defenses": [{"name": "ft"}, {"name": "strip"}, {"name": "ac"}],
            },
        }
    ]


# Adapters: another modality gets None before any code of ours is imported.


@hookimpl
def mbti_superimpose(x: Any, other: Any, modality: str, weight: float | None) -> Any | None:
    """Add pixels, and clip."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.superimpose(x, other, weight)


@hookimpl
def mbti_amplify(x: Any, modality: str, factor: float) -> Any | None:
    """Multiply pixels, and clip."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.scaled(x, factor)


@hookimpl
def mbti_occlude(x: Any, modality: str) -> Iterable[tuple[Any, Any]] | None:
    """Hide one patch after another behind the picture's mean color."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.occlude(x)


@hookimpl
def mbti_augment(x: Any, index: Any, modality: str, draws: Draws, facts: Mapping[str, Any]) -> Any | None:
    """Crop at random, and mirror where the data set allows it."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.augment(x, index, draws, facts)


@hookimpl
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show pictures as PNG inside the page."""
    if modality != "image":
        return None
    from mbti_image import adapters  # noqa: PLC0415 - keeps torch out of listings

    return adapters.render(x)
