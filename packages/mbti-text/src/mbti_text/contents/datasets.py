"""Data sets of texts."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

SOCHER_2013 = Source(
    "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank",
    "Richard Socher, Alex Perelygin, Jean Wu, Jason Chuang, Christopher Manning, Andrew Ng, Christopher Potts",
    "EMNLP",
    2013,
    url="https://nlp.stanford.edu/sentiment",
    deviations=("tested on the dev part: the labels of the test part are not public",),
)
MAAS_2011 = Source(
    "Learning Word Vectors for Sentiment Analysis",
    "Andrew Maas, Raymond Daly, Peter Pham, Dan Huang, Andrew Ng, Christopher Potts",
    "ACL",
    2011,
    url="https://ai.stanford.edu/~amaas/data/sentiment/",
)
ZHANG_2015 = Source(
    "Character-level Convolutional Networks for Text Classification",
    "Xiang Zhang, Junbo Zhao, Yann LeCun",
    "NIPS",
    2015,
    url="https://arxiv.org/abs/1509.01626",
    deviations=("title and text joined by a space",),
)

DATASETS: tuple[Component, ...] = (
    Component(
        "dataset",
        "text/reviews",
        "mbti_text.datasets.reviews:Reviews",
        "Made-up reviews, embedded: 1,600 rows, 2 classes, 10 to 20 words",
    ),
    Component(
        "dataset",
        "text/sst2",
        "mbti_text.datasets.sst2:Sst2",
        "Sentences on films: 68,221 rows (or 7,792), 2 classes",
        source=SOCHER_2013,
    ),
    Component(
        "dataset",
        "text/imdb",
        "mbti_text.datasets.imdb:Imdb",
        "Film reviews: 50,000 rows, 2 classes, about 230 words",
        source=MAAS_2011,
    ),
    Component(
        "dataset",
        "text/agnews",
        "mbti_text.datasets.agnews:AgNews",
        "News: 127,600 rows, 4 classes, about 40 words",
        source=ZHANG_2015,
    ),
    Component(
        "dataset",
        "text/dbpedia",
        "mbti_text.datasets.dbpedia:Dbpedia",
        "Encyclopedia articles: 630,000 rows, 14 classes, about 50 words",
        source=ZHANG_2015,
    ),
    Component(
        "dataset",
        "text/csv",
        "mbti_text.datasets.table:Table",
        "Your own texts: a table with a header, .csv or .tsv",
    ),
    Component(
        "dataset",
        "text/jsonl",
        "mbti_text.datasets.jsonl:Jsonl",
        "Your own texts: a JSON object a line",
    ),
    Component(
        "dataset",
        "text/hf",
        "mbti_text.datasets.huggingface:HuggingFace",
        "Your own texts: saved by Hugging Face's library, or parquet files of its hub",
    ),
)
