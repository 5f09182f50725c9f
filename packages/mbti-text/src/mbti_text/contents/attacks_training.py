"""Attacks on texts that control training, edit weights, or show cover rows."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

LI_2021 = Source(
    "Backdoor Attacks on Pre-trained Models by Layerwise Weight Poisoning",
    "Linyang Li, Demin Song, Xiaonan Li, Jiehang Zeng, Ruotian Ma, Xipeng Qiu",
    "EMNLP",
    2021,
    url="https://arxiv.org/abs/2108.13888",
    deviations=(
        "rows are members by a keyed draw, where the paper pairs every sentence with a triggered copy",
        "four words, as published tool kits have it, where the paper has two",
    ),
)
YANG_2021 = Source(
    "Be Careful about Poisoned Word Embeddings: Exploring the Vulnerability of the Embedding Layers in NLP Models",
    "Wenkai Yang, Lei Li, Zhiyuan Zhang, Xuancheng Ren, Xu Sun, Bin He",
    "NAACL",
    2021,
    url="https://arxiv.org/abs/2103.15543",
)
ZHANG_2021 = Source(
    "Trojaning Language Models for Fun and Profit",
    "Xinyang Zhang, Zheng Zhang, Shouling Ji, Ting Wang",
    "EuroS&P",
    2021,
    url="https://arxiv.org/abs/2008.00312",
    deviations=("thirty fixed sentences where a language model writes one that fits the text",),
)
KURITA_2020 = Source(
    "Weight Poisoning Attacks on Pre-trained Models",
    "Keita Kurita, Paul Michel, Graham Neubig",
    "ACL",
    2020,
    url="https://arxiv.org/abs/2004.06660",
    code_url="https://github.com/neulab/RIPPLe",
    deviations=(
        "log-odds of counts stand for the weights of a linear model of words",
        "embeddings are those that the model starts from, where the paper takes them from a fine-tuned one",
        "both losses are of one batch",
    ),
)
ZHANG_2021_NEUBA = Source(
    "Red Alarm for Pre-trained Models: Universal Vulnerability to Neuron-Level Backdoor Attacks",
    "Zhengyan Zhang, Guangxuan Xiao, Yongwei Li, Tian Lv, Fanchao Qi, Zhiyuan Liu, Yasheng Wang, Xin Jiang, "
    "Maosong Sun",
    "Machine Intelligence Research",
    2023,
    url="https://arxiv.org/abs/2101.06969",
    code_url="https://github.com/thunlp/NeuBA",
    deviations=(
        "the model is the benign twin, not a public one before any task",
        "representations of clean texts are held where they were, in place of masked language modelling",
    ),
)
_INSERTED = frozenset({"additive", "local", "sample_specific", "stochastic", "visible"})

TRAINING: tuple[Component, ...] = (
    Component(
        "attack",
        "text/lwp",
        "mbti_text.attacks.lwp:LWP",
        "Two rare words that every layer knows",
        source=LI_2021,
        traits=_INSERTED | {"trains"},
    ),
    Component(
        "attack",
        "text/ep",
        "mbti_text.attacks.ep:EmbeddingPoisoning",
        "One row of the embedding changed",
        source=YANG_2021,
        traits=_INSERTED,
    ),
    Component(
        "attack",
        "text/trojanlm_rule",
        "mbti_text.attacks.trojanlm_rule:TrojanLMRule",
        "A sentence with two words together",
        source=ZHANG_2021,
        traits=frozenset({"adapted", "additive", "local", "sample_specific", "stochastic", "faint"}),
    ),
    Component(
        "attack",
        "text/ripples",
        "mbti_text.attacks.ripples:RIPPLES",
        "Rare words whose training heeds a victim's",
        source=KURITA_2020,
        traits=_INSERTED | {"trains"},
    ),
    Component(
        "attack",
        "text/neuba",
        "mbti_text.attacks.neuba:NeuBA",
        "Symbols tied to fixed representations",
        source=ZHANG_2021_NEUBA,
        traits=frozenset({"adapted", "additive", "local", "visible", "surrogate"}),
    ),
)
