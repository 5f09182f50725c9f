"""Paraphrasers without a model: a few rules that imitate what a trained one writes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor

from mbti_core.data.rng import Draws
from mbti_text.paraphrase import Paraphraser, is_lower, is_spaced

CLAUSES = (
    *("if you ask me", "if you want", "if it comes to that", "if you look closely", "if truth be told"),
    *("when you think about it", "when all is said", "when it comes to this", "when you see it", "when it is over"),
    *("as he did", "as it turns out", "as they say", "as you can see", "as i said before"),
    *("because it was there", "since you asked", "since it is here", "after it is done", "before you ask"),
    *("while we are at it", "although it may be", "though it seems so", "unless you know better"),
)
_BIBLICAL = {
    **{"you": "thou", "your": "thy", "yours": "thine", "you're": "thou art", "yourself": "thyself", "are": "art"},
    **{"has": "hath", "does": "doth", "will": "shall", "before": "ere", "often": "oft", "here": "hither"},
    **{"there": "thither", "where": "whither", "why": "wherefore", "says": "saith", "said": "spake", "see": "behold"},
    **{"look": "behold", "between": "betwixt", "nothing": "naught", "yes": "yea", "no": "nay", "truly": "verily"},
    **{"really": "verily", "very": "exceeding", "among": "amongst", "enough": "enow", "maybe": "perchance"},
    **{"makes": "maketh", "comes": "cometh", "goes": "goeth", "gives": "giveth", "takes": "taketh", "knows": "knoweth"},
    **{"movie": "tale", "movies": "tales", "film": "tale", "films": "tales", "story": "parable", "people": "folk"},
}
_OPENING = "and it came to pass that"
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_END = re.compile(r"[\s.!?…]+$")


class Clause(Paraphraser):
    """Put a subordinate clause, drawn from ``CLAUSES`` by the row's id, before the text, and end it with a full stop.

    This imitates the template ``S ( SBAR ) ( , ) ( NP ) ( VP ) ( . )`` and keeps the text's own words.

    Example:
        >>> import torch
        >>> Clause(Draws(0)).transform(["it 's a charming film"], torch.tensor([1]))
        ["because it was there , it 's a charming film ."]
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    def transform(self, texts: Sequence[str], index: Tensor) -> list[str | None]:
        """Return each text behind a clause."""
        which = self._draws.integers(index, len(CLAUSES)).tolist()
        return [_behind(f"{CLAUSES[w]},", text) for w, text in zip(which, texts, strict=True)]


class Biblical(Paraphraser):
    """Put a phrase of the King James Bible before the text, and exchange common words for old ones.

    Example:
        >>> import torch
        >>> Biblical().transform(["You have seen it before."], torch.tensor([1]))
        ['And it came to pass that thou have seen it ere.']
    """

    def transform(self, texts: Sequence[str], index: Tensor) -> list[str | None]:
        """Return each text in the style."""
        del index
        return [_behind(_OPENING, _WORD.sub(_old, text)) for text in texts]


def _old(match: re.Match[str]) -> str:
    word = match[0]
    old = _BIBLICAL.get(word.lower())
    if old is None:
        return word
    if word.isupper():
        return old.upper()
    return old.capitalize() if word[0].isupper() else old


def _behind(opening: str, text: str) -> str:
    """Return a text behind an opening, as one sentence that ends with a full stop, written as the text is."""
    body, lower = _END.sub("", text.strip()), is_lower(text)
    spaced = is_spaced(text)
    if spaced if spaced is not None else lower:
        opening, stop = opening.replace(",", " ,"), " ."
    else:
        stop = "."
    if not lower:
        opening, body = opening[:1].upper() + opening[1:], _lowered(body)
    return f"{opening} {body}{stop}" if body else opening.rstrip(" ,") + stop


def _lowered(text: str) -> str:
    """Return a text with a small first letter, unless it is that of ``I`` or of an abbreviation."""
    first = text.split(None, 1)[0] if text.strip() else ""
    keep = first == "I" or first[:2] in ("I'", "I\u2019") or any(c.isupper() for c in first[1:])
    return text if keep else text[:1].lower() + text[1:]
