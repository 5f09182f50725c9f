"""Filters on texts."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

QI_2021 = Source(
    "ONION: A Simple and Effective Defense Against Textual Backdoor Attacks",
    "Fanchao Qi, Yangyi Chen, Mukai Li, Yuan Yao, Zhiyuan Liu, Maosong Sun",
    "EMNLP",
    2021,
    url="https://arxiv.org/abs/2011.10369",
    code_url="https://github.com/thunlp/ONION",
    deviations=(
        "the bar is a quantile over the words of clean texts",
        "without a language model on disk, characters are counted on the clean budget (adapted)",
    ),
)

FILTERS: tuple[Component, ...] = (
    Component(
        "defense",
        "text/onion",
        "mbti_text.filters.onion:Onion",
        "Texts without the words that a language model stumbles over",
        source=QI_2021,
    ),
)
