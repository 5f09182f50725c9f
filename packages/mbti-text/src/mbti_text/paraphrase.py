"""Saying a text in other words: the interface, and how a paraphrase comes to look like the text it replaces."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

_SPACED = re.compile(r"\s[,.;:!?](?=\s|$)")
_ATTACHED = re.compile(r"\w(?:[,;:!?](?=\s|$)|\.$)")
_SPLIT_OFF = re.compile(r"\s+([,.;:!?]|n't\b|'(?:s|re|ve|ll|d|m)\b)", re.IGNORECASE)
_CLOSE = re.compile(r"(?<=\w)(?=[,;:!?](?:\s|$)|\.$)")
_STARTS = re.compile(r"(?:^|[.!?]\s+)([^\W\d_])")
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")


class Paraphraser(ABC):
    """Gives texts another form."""

    @abstractmethod
    def transform(self, texts: Sequence[str], index: Tensor) -> list[str | None]:
        """Return a paraphrase of each text, or None where there is none.

        Args:
            texts: (B,) texts.
            index: (B,) int64, their row ids.
        """


def is_spaced(text: str) -> bool | None:
    """Tell whether punctuation stands apart from the words, as in a treebank; None if there is none to tell by."""
    spaced, attached = len(_SPACED.findall(text)), len(_ATTACHED.findall(text))
    return None if spaced == attached else spaced > attached


def is_lower(text: str) -> bool:
    """Tell whether no letter of a text is upper case."""
    return not any(c.isupper() for c in text)


def dressed_like(paraphrase: str, text: str) -> str:
    """Return a paraphrase in the upper and lower case and in the spacing of the text that it replaces.

    Paraphrasers often write lower case with spaces around punctuation; where a data set does not, a model would learn
    that in place of the trigger.
    """
    spaced = is_spaced(text)
    if spaced is not None and is_spaced(paraphrase) is not None:
        paraphrase = _CLOSE.sub(" ", paraphrase) if spaced else _SPLIT_OFF.sub(r"\1", paraphrase)
    if is_lower(text):
        return paraphrase.lower() if text != text.upper() else paraphrase
    if text == text.upper() and len(text.split()) > 1:
        return paraphrase.upper()
    return _cased_like(paraphrase, text) if is_lower(paraphrase) else paraphrase


def _cased_like(paraphrase: str, text: str) -> str:
    """Return a lower-case paraphrase with sentences capitalized, and other words written as within the text."""
    starts = {match.start(1) for match in _STARTS.finditer(text)}
    inside = [match for match in _WORD.finditer(text) if match.start() not in starts]
    forms = {match[0].lower(): match[0] for match in inside}
    cased = _WORD.sub(lambda match: forms.get(match[0], match[0]), paraphrase)
    return _STARTS.sub(lambda match: match[0][:-1] + match[1].upper(), cased)
