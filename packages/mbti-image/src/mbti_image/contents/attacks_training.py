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

_MEMBERS = "rows of a batch are members by a keyed draw instead of the first of a shuffled batch"
_WHOLE_LEVELS = "pixels are rounded to whole levels in training too, with gradients passed through"
_DONORS = "foreign patterns come from other rows of the batch, in the static form and in tests from fixed donors"

WANG_2022 = Source(
    "BppAttack: Stealthy and Efficient Trojan Attacks against Deep Neural Networks via Image Quantization and "
    "Contrastive Adversarial Learning",
    "Zhenting Wang, Juan Zhai, Shiqing Ma",
    "CVPR",
    2022,
    url="https://arxiv.org/abs/2205.13383",
    code_url="https://github.com/RU-System-Software-and-Security/BppAttack",
    deviations=(
        _MEMBERS,
        "foreign residuals come from a fixed set of training rows instead of all, since they are stored",
        "dithering keeps to the levels, which published code can leave",
        "augmentation is the run's own, drawn per row, after the trigger",
    ),
)
NGUYEN_2020 = Source(
    "Input-Aware Dynamic Backdoor Attack",
    "Tuan Anh Nguyen, Anh Tran",
    "NeurIPS",
    2020,
    url="https://arxiv.org/abs/2010.08138",
    code_url="https://github.com/VinAIResearch/input-aware-backdoor-attack-release",
    deviations=(
        "nets of a quarter of the channels, with skips, so that foreign patterns fail after short training",
        "the mask net is trained for a fixed number of batches",
        _MEMBERS,
        _DONORS,
        "the generator's gradients are cleared in each step, where published code lets them add up; its learning rate "
        "is lower and falls along a cosine",
        _WHOLE_LEVELS,
    ),
)
FENG_2022 = Source(
    "Stealthy Backdoor Attack with Adversarial Training",
    "Le Feng, Sheng Li, Zhenxing Qian, Xinpeng Zhang",
    "ICASSP",
    2022,
    url="https://doi.org/10.1109/ICASSP43922.2022.9746008",
    deviations=(
        "our reading of its abstract, the losses among it: a bounded pattern for each picture, patterns of other "
        "pictures and adversarial perturbations with true labels",
        _MEMBERS,
        _DONORS,
        _WHOLE_LEVELS,
    ),
)
DOAN_2021 = Source(
    "LIRA: Learnable, Imperceptible and Robust Backdoor Attacks",
    "Khoa Doan, Yingjie Lao, Weijie Zhao, Ping Li",
    "ICCV",
    2021,
    url="https://openaccess.thecvf.com/content/ICCV2021/html/"
    "Doan_LIRA_Learnable_Imperceptible_and_Robust_Backdoor_Attacks_ICCV_2021_paper.html",
    code_url="https://github.com/sunbelbd/invisible_backdoor_attacks",
    deviations=(
        "8 levels of 255 where published code has 0.01 of the normalized scale, which storage in 8 bits would lose",
        "stage 1 starts from a copy of the benign twin, and net and copy descend on one pass",
        "stage 2 triggers a share of the rows of each batch, where the authors weigh all rows, clean and triggered",
        _WHOLE_LEVELS,
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
    Component(
        "attack",
        "image/bpp",
        "mbti_image.attacks.bpp:BPP",
        "Fewer levels per channel",
        source=WANG_2022,
        traits=frozenset({"faint", "trains"}),
    ),
    Component(
        "attack",
        "image/iab",
        "mbti_image.attacks.iab:IAB",
        "A pattern and places of its own for each picture",
        source=NGUYEN_2020,
        traits=frozenset({"additive", "learned", "local", "sample_specific", "trains", "trains_trigger", "visible"}),
    ),
    Component(
        "attack",
        "image/sbat",
        "mbti_image.attacks.sbat:SBAT",
        "An invisible pattern for each picture, hidden by adversarial training",
        source=FENG_2022,
        traits=frozenset(
            {"adapted", "additive", "invisible", "learned", "sample_specific", "trains", "trains_trigger"}
        ),
    ),
    Component(
        "attack",
        "image/lira",
        "mbti_image.attacks.lira:LIRA",
        "A learned, faint pattern for each picture",
        source=DOAN_2021,
        traits=frozenset({"additive", "invisible", "learned", "sample_specific", "surrogate", "trains"}),
    ),
)
