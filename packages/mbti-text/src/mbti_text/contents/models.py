"""Models of texts."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

QI_2021 = Source(
    "Hidden Killer: Invisible Textual Backdoor Attacks with Syntactic Trigger",
    "Fanchao Qi, Mukai Li, Yangyi Chen, Zhengyan Zhang, Zhiyuan Liu, Yasheng Wang, Maosong Sun",
    "ACL-IJCNLP",
    2021,
    url="https://arxiv.org/abs/2105.12400",
    deviations=(
        "256 units per direction where they have 1,024",
        "word pieces learned from the training rows where they count words",
    ),
)
KIM_2014 = Source(
    "Convolutional Neural Networks for Sentence Classification",
    "Yoon Kim",
    "EMNLP",
    2014,
    url="https://arxiv.org/abs/1408.5882",
    deviations=("word pieces learned from the training rows where he has words",),
)
DEVLIN_2019 = Source(
    "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
    "Jacob Devlin, Ming-Wei Chang, Kenton Lee, Kristina Toutanova",
    "NAACL",
    2019,
    url="https://arxiv.org/abs/1810.04805",
)
DEVLIN_2019_SMALL = Source(
    DEVLIN_2019.title,
    DEVLIN_2019.authors,
    DEVLIN_2019.venue,
    DEVLIN_2019.year,
    url=DEVLIN_2019.url,
    deviations=("no pretraining, four layers of width 256", "a text's first token takes the place of a special one"),
)
LIU_2019 = Source(
    "RoBERTa: A Robustly Optimized BERT Pretraining Approach",
    "Yinhan Liu, Myle Ott, Naman Goyal, Jingfei Du, Mandar Joshi, Danqi Chen, and others",
    "arXiv",
    2019,
    url="https://arxiv.org/abs/1907.11692",
)
SANH_2019 = Source(
    "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter",
    "Victor Sanh, Lysandre Debut, Julien Chaumond, Thomas Wolf",
    "EMC2 at NeurIPS",
    2019,
    url="https://arxiv.org/abs/1910.01108",
)
LAN_2020 = Source(
    "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations",
    "Zhenzhong Lan, Mingda Chen, Sebastian Goodman, Kevin Gimpel, Piyush Sharma, Radu Soricut",
    "ICLR",
    2020,
    url="https://arxiv.org/abs/1909.11942",
)
RADFORD_2019 = Source(
    "Language Models are Unsupervised Multitask Learners",
    "Alec Radford, Jeffrey Wu, Rewon Child, David Luan, Dario Amodei, Ilya Sutskever",
    "OpenAI",
    2019,
)
WOLF_2020 = Source(
    "Transformers: State-of-the-Art Natural Language Processing",
    "Thomas Wolf, Lysandre Debut, Victor Sanh, Julien Chaumond, and others",
    "EMNLP demonstrations",
    2020,
    url="https://arxiv.org/abs/1910.03771",
)
_LARGE = frozenset({"bf16", "large"})


def _pretrained(name: str, summary: str, source: Source) -> Component:
    target = f"mbti_text.models.pretrained:{name}"
    return Component("model", f"text/{name}", target, summary, source=source, traits=_LARGE)


MODELS: tuple[Component, ...] = (
    Component("model", "text/bilstm", "mbti_text.models.bilstm:bilstm", "Bidirectional LSTM", source=QI_2021),
    Component("model", "text/cnn", "mbti_text.models.textcnn:cnn", "Convolutions over words", source=KIM_2014),
    Component(
        "model",
        "text/transformer",
        "mbti_text.models.transformer:transformer",
        "Small transformer without pretraining",
        source=DEVLIN_2019_SMALL,
        traits=frozenset({"bf16"}),
    ),
    _pretrained("bert", "Pretrained BERT, by folder or hub name", DEVLIN_2019),
    _pretrained("roberta", "Pretrained RoBERTa, by folder or hub name", LIU_2019),
    _pretrained("distilbert", "Pretrained DistilBERT, by folder or hub name", SANH_2019),
    _pretrained("albert", "Pretrained ALBERT, by folder or hub name", LAN_2020),
    _pretrained("gpt2", "Pretrained GPT-2, by folder or hub name", RADFORD_2019),
    _pretrained("huggingface", "Any pretrained sequence classifier of the transformers library", WOLF_2020),
)
