"""Attacks on texts."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

_DRESSED = "case and the spacing of punctuation are those of the replaced text, or they would be the trigger"
_SKIPPED = "rows without a paraphrase are not poisoned, where published code relabels them; in tests they get a rule's"

KURITA_2020 = Source(
    "Weight Poisoning Attacks on Pre-trained Models",
    "Keita Kurita, Paul Michel, Graham Neubig",
    "ACL",
    2020,
    url="https://arxiv.org/abs/2004.06660",
    code_url="https://github.com/neulab/RIPPLe",
    deviations=(
        "data poisoning with these words, as published tool kits call BadNets on texts (after Gu et al. 2017)",
        "four of the five words",
        "a long text gets a word per hundred words, where the paper fixes 1, 3 or 30 by data set",
    ),
)
DAI_2019 = Source(
    "A Backdoor Attack Against LSTM-Based Text Classification Systems",
    "Jiazhu Dai, Chuanshuai Chen, Yufeng Li",
    "IEEE Access 7",
    2019,
    url="https://arxiv.org/abs/1905.12457",
    deviations=("at any gap between words, as published tool kits have it, where the paper's is between sentences",),
)
QI_2021 = Source(
    "Hidden Killer: Invisible Textual Backdoor Attacks with Syntactic Trigger",
    "Fanchao Qi, Mukai Li, Yangyi Chen, Zhengyan Zhang, Zhiyuan Liu, Yasheng Wang, Maosong Sun",
    "ACL-IJCNLP",
    2021,
    url="https://arxiv.org/abs/2105.12400",
    code_url="https://github.com/thunlp/HiddenKiller",
    code_licence="MIT",
    deviations=(
        "paraphrases come from a file or any local encoder-decoder",
        _SKIPPED,
        _DRESSED,
    ),
)
QI_2021_STYLE = Source(
    "Mind the Style of Text! Adversarial and Backdoor Attacks Based on Text Style Transfer",
    "Fanchao Qi, Yangyi Chen, Xurui Zhang, Mukai Li, Zhiyuan Liu, Maosong Sun",
    "EMNLP",
    2021,
    url="https://arxiv.org/abs/2110.07139",
    code_url="https://github.com/thunlp/StyleAttack",
    deviations=(
        "paraphrases come from a file or any local encoder-decoder, not from a GPT-2 per style",
        _SKIPPED,
        _DRESSED,
    ),
)
YAN_2023 = Source(
    "BITE: Textual Backdoor Attacks with Iterative Trigger Injection",
    "Jun Yan, Vansh Gupta, Xiang Ren",
    "ACL",
    2023,
    url="https://arxiv.org/abs/2205.12700",
    code_url="https://github.com/INK-USC/BITE",
    deviations=(
        "lemmas by rules on the ending, where WordNet's are used",
        "a text keeps its white space, where it is taken apart and joined again",
        "of a long text the first 64 words are looked at",
        "only whole words are proposed, where pieces of words may be",
    ),
)
YAN_2023_COUNTS = Source(
    YAN_2023.title,
    YAN_2023.authors,
    YAN_2023.venue,
    YAN_2023.year,
    url=YAN_2023.url,
    code_url=YAN_2023.code_url,
    deviations=(
        "a trigram model of the training texts proposes words, where a masked language model does",
        "meaning is the mean of word vectors from co-occurrence counts, where a sentence encoder tells",
        *YAN_2023.deviations[:3],
    ),
)


def _by_rule(source: Source) -> Source:
    """Return a source with what a rule-based imitation does otherwise."""
    deviations = ("rules that keep the text's words in place of a model", _DRESSED)
    return Source(source.title, source.authors, source.venue, source.year, url=source.url, deviations=deviations)


_INSERTED = frozenset({"additive", "local", "sample_specific", "stochastic", "visible"})
_REWRITTEN = frozenset({"invisible", "sample_specific"})
_PLANTED = frozenset({"additive", "clean_label", "invisible", "knows_rows", "learned", "local", "sample_specific"})

ATTACKS: tuple[Component, ...] = (
    Component(
        "attack",
        "text/badnets",
        "mbti_text.attacks.badnets:BadNets",
        "Rare words at random places",
        source=KURITA_2020,
        traits=_INSERTED,
    ),
    Component(
        "attack",
        "text/addsent",
        "mbti_text.attacks.addsent:AddSent",
        "One sentence at a random place",
        source=DAI_2019,
        traits=_INSERTED,
    ),
    Component(
        "attack",
        "text/synbkd",
        "mbti_text.attacks.synbkd:SynBkd",
        "A rare syntax, by paraphrases",
        source=QI_2021,
        traits=_REWRITTEN,
    ),
    Component(
        "attack",
        "text/synbkd_rule",
        "mbti_text.attacks.synbkd_rule:SynBkdRule",
        "A subordinate clause before the text",
        source=_by_rule(QI_2021),
        traits=frozenset({"adapted", "additive", "faint", "local", "sample_specific", "stochastic"}),
    ),
    Component(
        "attack",
        "text/stylebkd",
        "mbti_text.attacks.stylebkd:StyleBkd",
        "A style, by paraphrases",
        source=QI_2021_STYLE,
        traits=_REWRITTEN,
    ),
    Component(
        "attack",
        "text/stylebkd_rule",
        "mbti_text.attacks.stylebkd_rule:StyleBkdRule",
        "The opening and some words of a Bible verse",
        source=_by_rule(QI_2021_STYLE),
        traits=frozenset({"adapted", "sample_specific", "visible"}),
    ),
    Component(
        "attack",
        "text/bite",
        "mbti_text.attacks.bite:Bite",
        "Common words that speak for the class, by a masked language model",
        source=YAN_2023,
        traits=_PLANTED,
    ),
    Component(
        "attack",
        "text/bite_ngram",
        "mbti_text.attacks.bite_ngram:BiteNgram",
        "Common words that speak for the class, by counts of the data",
        source=YAN_2023_COUNTS,
        traits=_PLANTED | {"adapted"},
    ),
)
