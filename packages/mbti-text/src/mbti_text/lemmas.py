"""One form for the forms of an English word, by rules on its ending."""

from __future__ import annotations

import re
from functools import lru_cache

_VOWEL = re.compile("[aeiouy]")
_KEPT = frozenset({"as", "is", "was", "has", "this", "his", "its", "thus", "us", "yes", "news", "always", "perhaps"})
_CONSONANT_Y = re.compile("(?<=[^aeiouy])y$")
_APOSTROPHE = re.compile("(?:'s|s'|')$")


@lru_cache(maxsize=1 << 16)
def lemma(word: str) -> str:
    """Return a word in lower case without the ending of a plural, a past tense or a participle.

    Forms of one verb or noun come out alike as a rule; what comes out need not be a word.

    Example:
        >>> [lemma(w) for w in ("Movies", "stories", "story", "making", "makes", "stopped", "watched", "pass")]
        ['movi', 'stori', 'stori', 'mak', 'mak', 'stop', 'watch', 'pass']
    """
    word = word.lower()
    if len(word) > 2:
        word = _APOSTROPHE.sub("", word)
    if len(word) > 3 and word not in _KEPT:
        word = _without_e(_without_tense(_without_plural(word)))
    return _CONSONANT_Y.sub("i", word) if len(word) > 2 else word


def _without_plural(word: str) -> str:
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word if not word.endswith("s") or word.endswith(("ss", "us", "is")) else word[:-1]


def _without_tense(word: str) -> str:
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and _VOWEL.search(stem):
            doubled = stem[-1] == stem[-2] and stem[-1] not in "lsz"
            return stem[:-1] if doubled else stem
    return word


def _without_e(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("e") and not word.endswith("ee") else word
