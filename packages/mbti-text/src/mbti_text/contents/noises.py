"""Noise on texts."""

from __future__ import annotations

from dataclasses import replace

from mbti_core.contracts.component import Component, Source

YU_2025 = Source(
    "BackdoorMBTI: A Backdoor Learning Multimodal Benchmark Tool Kit for Backdoor Defense Evaluation",
    "Haiyang Yu, Tian Xie, Jiaping Gui, Pengyang Wang, Ping Yi, Yue Wu",
    "KDD",
    2025,
    url="https://arxiv.org/abs/2411.11006",
    code_url="https://github.com/SJTUHaiyangYu/BackdoorMBTI",
)

NOISES: tuple[Component, ...] = (
    Component(
        "noise",
        "text/chars",
        "mbti_text.noise.chars:CharErrors",
        "Characters inserted, swapped, substituted and deleted at an error rate",
        source=replace(
            YU_2025,
            deviations=("by textnoisr at a character error rate, as its paper says; its code never calls textnoisr",),
        ),
        extra="mbti-text[noise]",
    ),
    Component(
        "noise",
        "text/words",
        "mbti_text.noise.words:WordErrors",
        "Typing, scanning and spelling errors, and words lost, doubled or swapped",
        source=replace(
            YU_2025,
            deviations=(
                "own lists of neighbors, like shapes and misspellings instead of nlpaug's",
                "each word is hit with a probability instead of a fixed number of them",
                "an action is drawn per word instead of per text",
                "words are deleted, swapped and doubled too (Wei and Zou 2019)",
                "drawn once per row instead of at each access",
            ),
        ),
    ),
    Component(
        "noise",
        "text/sentences",
        "mbti_text.noise.sentences:SentenceErrors",
        "Sentences exchanged, lost, doubled or added",
        source=replace(
            YU_2025,
            deviations=(
                "its paper names this noise, its code does not have it",
                "without paraphrases, which take a model",
                "what is inserted comes from a fixed list instead of another training text",
            ),
        ),
    ),
    Component(
        "noise",
        "text/nlpaug",
        "mbti_text.noise.nlpaug:Nlpaug",
        "One of nlpaug's augmenters per text",
        source=replace(
            YU_2025,
            deviations=(
                "without WordNet synonyms, which download their data when they are used",
                "without words from a masked language model, which its last release cannot ask of transformers 5",
                "drawn once per row instead of at each access",
            ),
        ),
        extra="mbti-text[nlpaug]",
    ),
)
