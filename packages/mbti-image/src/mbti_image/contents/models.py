"""Models for pictures."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

_SMALL = "small pictures (at most 64 pixels) "
_LESS_SHRUNK = f"{_SMALL}are shrunk 8 times in all and not 32 times"
_STEM = f"{_SMALL}get a 3 x 3 stem of stride 1 without pooling, and keep four stages"
_CLASSIFIER = f"{_SMALL}get average pooling and a classifier of one layer"
_NO_AUXILIARY = "no auxiliary heads: BatchNorm does what they were for"

HE_2016 = Source(
    "Deep Residual Learning for Image Recognition",
    "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    "CVPR",
    2016,
    url="https://arxiv.org/abs/1512.03385",
    deviations=(_STEM,),
)
HE_2016_PREACT = Source(
    "Identity Mappings in Deep Residual Networks",
    "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    "ECCV",
    2016,
    url="https://arxiv.org/abs/1603.05027",
    deviations=("four stages, and no BatchNorm after the last block, as the backdoor literature uses it",),
)
SIMONYAN_2015 = Source(
    "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    "Karen Simonyan, Andrew Zisserman",
    "ICLR",
    2015,
    url="https://arxiv.org/abs/1409.1556",
    deviations=(_CLASSIFIER, "pools that would get a single pixel are left out"),
)
HUANG_2017 = Source(
    "Densely Connected Convolutional Networks",
    "Gao Huang, Zhuang Liu, Laurens van der Maaten, Kilian Q. Weinberger",
    "CVPR",
    2017,
    url="https://arxiv.org/abs/1608.06993",
    deviations=(_STEM,),
)
SANDLER_2018 = Source(
    "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
    "Mark Sandler, Andrew Howard, Menglong Zhu, Andrey Zhmoginov, Liang-Chieh Chen",
    "CVPR",
    2018,
    url="https://arxiv.org/abs/1801.04381",
    deviations=(_LESS_SHRUNK,),
)
HOWARD_2019 = Source(
    "Searching for MobileNetV3",
    "Andrew Howard, Mark Sandler, Grace Chu, Liang-Chieh Chen, Bo Chen, Mingxing Tan, and others",
    "ICCV",
    2019,
    url="https://arxiv.org/abs/1905.02244",
    deviations=(_LESS_SHRUNK,),
)
TAN_2019 = Source(
    "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    "Mingxing Tan, Quoc V. Le",
    "ICML",
    2019,
    url="https://arxiv.org/abs/1905.11946",
    deviations=(_LESS_SHRUNK,),
)
MA_2018 = Source(
    "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
    "Ningning Ma, Xiangyu Zhang, Hai-Tao Zheng, Jian Sun",
    "ECCV",
    2018,
    url="https://arxiv.org/abs/1807.11164",
    deviations=(_LESS_SHRUNK,),
)
SZEGEDY_2015 = Source(
    "Going Deeper with Convolutions",
    "Christian Szegedy, Wei Liu, Yangqing Jia, Pierre Sermanet, Scott Reed, Dragomir Anguelov, and others",
    "CVPR",
    2015,
    url="https://arxiv.org/abs/1409.4842",
    deviations=(
        "BatchNorm after each convolution and 3 x 3 ones in place of 5 x 5, as in torchvision",
        _NO_AUXILIARY,
        f"{_SMALL}get a 3 x 3 stem of stride 1 without pooling",
    ),
)
SZEGEDY_2016 = Source(
    "Rethinking the Inception Architecture for Computer Vision",
    "Christian Szegedy, Vincent Vanhoucke, Sergey Ioffe, Jonathon Shlens, Zbigniew Wojna",
    "CVPR",
    2016,
    url="https://arxiv.org/abs/1512.00567",
    deviations=(_NO_AUXILIARY, f"{_SMALL}get a padded stem of stride 1 with one pooling in place of two"),
)
KRIZHEVSKY_2014 = Source(
    "One weird trick for parallelizing convolutional neural networks",
    "Alex Krizhevsky",
    "arXiv",
    2014,
    url="https://arxiv.org/abs/1404.5997",
    deviations=(f"{_SMALL}get a 5 x 5 first layer of stride 1", _CLASSIFIER),
)
DOSOVITSKIY_2021 = Source(
    "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
    "Alexey Dosovitskiy, Lucas Beyer, Alexander Kolesnikov, Dirk Weissenborn, Xiaohua Zhai, and others",
    "ICLR",
    2021,
    url="https://arxiv.org/abs/2010.11929",
)
DOSOVITSKIY_2021_TINY = Source(
    DOSOVITSKIY_2021.title,
    DOSOVITSKIY_2021.authors,
    DOSOVITSKIY_2021.venue,
    DOSOVITSKIY_2021.year,
    url=DOSOVITSKIY_2021.url,
    deviations=("width 192 and 3 heads as DeiT-Ti, 6 layers, patches of 4 pixels",),
)
WIGHTMAN_2019 = Source(
    "PyTorch Image Models",
    "Ross Wightman",
    "GitHub",
    2019,
    url="https://doi.org/10.5281/zenodo.4414861",
    code_url="https://github.com/huggingface/pytorch-image-models",
    code_licence="Apache-2.0",
    deviations=("no pretrained weights from a hub: a local file takes their place",),
)


# Measured with a batch of 32 pictures of 32 pixels on a processor with avx512_bf16: 1.4 to 3 times faster in bf16,
# apart from what is made of depthwise convolutions (0.5 to 0.9 times). What timm builds may be either.
_DENSE = frozenset({"large", "bf16"})
_DEPTHWISE = frozenset({"large"})


def _model(name: str, module: str, summary: str, source: Source, traits: frozenset[str] = _DENSE) -> Component:
    return Component(
        "model", f"image/{name}", f"mbti_image.models.{module}:{name}", summary, source=source, traits=traits
    )


JORDAN_2024 = Source(
    "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
    "Keller Jordan",
    "arXiv 2404.00498",
    2024,
    url="https://arxiv.org/abs/2404.00498",
    code_url="https://github.com/KellerJordan/cifar10-airbench",
    deviations=("ReLU and plain BatchNorm", "plain SGD, and no averaging at test time"),
)

MODELS: tuple[Component, ...] = (
    Component("model", "image/cnn", "mbti_image.models.cnn:cnn", "Three convolutions with BatchNorm"),
    _model("resnet18", "resnet", "18-layer ResNet, with a stem for small pictures", HE_2016),
    _model("resnet34", "resnet", "34-layer ResNet, with a stem for small pictures", HE_2016),
    _model("resnet50", "resnet", "50-layer ResNet, with a stem for small pictures", HE_2016),
    _model("preactresnet18", "preactresnet", "18-layer pre-activation ResNet for small pictures", HE_2016_PREACT),
    _model("vgg11", "vgg", "11-layer VGG, with a classifier for small pictures", SIMONYAN_2015),
    _model("vgg11_bn", "vgg", "11-layer VGG with BatchNorm", SIMONYAN_2015),
    _model("vgg16", "vgg", "16-layer VGG, with a classifier for small pictures", SIMONYAN_2015),
    _model("vgg16_bn", "vgg", "16-layer VGG with BatchNorm", SIMONYAN_2015),
    _model("vgg19", "vgg", "19-layer VGG, with a classifier for small pictures", SIMONYAN_2015),
    _model("vgg19_bn", "vgg", "19-layer VGG with BatchNorm", SIMONYAN_2015),
    _model("densenet121", "densenet", "121-layer DenseNet, with a stem for small pictures", HUANG_2017),
    _model("densenet161", "densenet", "161-layer DenseNet, with a stem for small pictures", HUANG_2017),
    _model("mobilenet_v2", "mobilenet", "MobileNetV2, which shrinks small pictures less", SANDLER_2018, _DEPTHWISE),
    _model(
        "mobilenet_v3_large",
        "mobilenet",
        "Large MobileNetV3, which shrinks small pictures less",
        HOWARD_2019,
        _DEPTHWISE,
    ),
    _model(
        "efficientnet_b0", "efficientnet", "EfficientNet-B0, which shrinks small pictures less", TAN_2019, _DEPTHWISE
    ),
    _model(
        "efficientnet_b3", "efficientnet", "EfficientNet-B3, which shrinks small pictures less", TAN_2019, _DEPTHWISE
    ),
    _model("shufflenet_v2_x1_0", "shufflenet", "ShuffleNetV2, which shrinks small pictures less", MA_2018, _DEPTHWISE),
    _model("googlenet", "inception", "GoogLeNet, with a stem for small pictures", SZEGEDY_2015),
    _model("inception_v3", "inception", "Inception-v3, with a stem for small pictures", SZEGEDY_2016),
    _model("alexnet", "alexnet", "AlexNet, with a first layer for small pictures", KRIZHEVSKY_2014),
    _model("vit_b_16", "vit", "ViT-B/16, for sides of a multiple of 16 pixels", DOSOVITSKIY_2021),
    _model("vit_tiny", "vit", "Small vision transformer on patches of 4 pixels", DOSOVITSKIY_2021_TINY),
    Component(
        "model",
        "image/timm",
        "mbti_image.models.timm_net:timm",
        "Any classifier of timm, by its name there",
        source=WIGHTMAN_2019,
        traits=_DEPTHWISE,
        extra="mbti-image[timm]",
    ),
    Component(
        "model",
        "image/fast",
        "mbti_image.models.fast:fast",
        "A small net with a whitening layer, for short trainings on a processor",
        source=JORDAN_2024,
        traits=frozenset({"bf16", "large"}),
    ),
)
