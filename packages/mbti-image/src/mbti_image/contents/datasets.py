"""Data sets of pictures."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

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
STALLKAMP_2012 = Source(
    "Man vs. computer: Benchmarking machine learning algorithms for traffic sign recognition",
    "Johannes Stallkamp, Marc Schlipsing, Jan Salmen, Christian Igel",
    "Neural Networks 32",
    2012,
    url="https://doi.org/10.1016/j.neunet.2012.02.016",
    deviations=("the region of interest is not cut out: a sign keeps its border",),
)
LE_2015 = Source(
    "Tiny ImageNet Visual Recognition Challenge",
    "Ya Le, Xuan Yang",
    "Stanford CS 231N",
    2015,
    url="http://cs231n.stanford.edu/reports/2015/pdfs/yle_project.pdf",
    deviations=("tested on the validation part: the labels of the test part are not public",),
)
LIU_2015 = Source(
    "Deep Learning Face Attributes in the Wild",
    "Ziwei Liu, Ping Luo, Xiaogang Wang, Xiaoou Tang",
    "ICCV",
    2015,
    url="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    deviations=("eight classes made of three of the forty attributes", "stretched to a square, without a crop"),
)

DATASETS: tuple[Component, ...] = (
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
    Component(
        "dataset",
        "image/gtsrb",
        "mbti_image.datasets.gtsrb:Gtsrb",
        "German traffic signs: 51,839 rows, 43 classes, resized to 32 pixels",
        source=STALLKAMP_2012,
    ),
    Component(
        "dataset",
        "image/tinyimagenet",
        "mbti_image.datasets.tinyimagenet:TinyImageNet",
        "Photographs: 110,000 rows, 200 classes, 64 pixels",
        source=LE_2015,
    ),
    Component(
        "dataset",
        "image/celeba",
        "mbti_image.datasets.celeba:CelebA",
        "Faces: 202,599 rows, 8 classes of 3 attributes, resized to 64 pixels",
        source=LIU_2015,
    ),
    Component(
        "dataset",
        "image/imagefolder",
        "mbti_image.datasets.imagefolder:ImageFolder",
        "Your own pictures: a folder per class, resized to 32 pixels",
    ),
)
