"""What the adapter hooks on samples answer for texts; imported by ``plugin.py`` when one of them is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape

import numpy as np
import torch
from torch import Tensor

from mbti_core.contracts.model import Rendering
from mbti_core.data.rng import Draws
from mbti_text.cut import Cut, Row, for_each, words
from mbti_text.edit_distance import similarity
from mbti_text.function_words import FUNCTION_WORDS
from mbti_text.marked import Marked, Run
from mbti_text.sample import Text

_HALF = 0.5  # of the words; OpenBackdoor's share on short texts
_DROPPED = 0.1  # of the words; Wei and Zou 2019 (EDA), table 5: 0.05 to 0.1
_LONGEST = 2000  # characters of a text on a page
_RANKINGS = 1024  # overlays whose words stay ranked
_TAGS = {"same": "{}", "gone": "<del>{}</del>", "new": "<ins>{}</ins>"}
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


def superimpose(x: Text, other: Text, index: Tensor, weight: float | None, draws: Draws) -> Text:
    """Put the words that say most about ``other`` in place of a share of the words of ``x``.

    Args:
        x: (B,) texts.
        other: (B,) texts laid over them.
        index: (B,) int64 ids of the pairs, which key the places.
        weight: Share of the words replaced, at least one; None for half of them, as OpenBackdoor replaces.
        draws: Keyed randomness.

    Source: Gao et al. 2021 (STRIP-ViTA), section 3: random places, words in the order of their tf-idf.
    Deviates: a hook sees two texts and no corpus, so function words of English come last in place of words that are
        frequent in a corpus; the others are ranked by how often ``other`` says them.
    """
    share = _HALF if weight is None else min(weight, 1.0)
    if not share:
        return x
    cuts = [words(text) for text in x]
    drawn = for_each(draws.stream("places").uniform, index, cuts)
    return [_overlaid(cut, telling(over), u, share) for cut, over, u in zip(cuts, other, drawn, strict=True)]


@lru_cache(maxsize=_RANKINGS)
def telling(text: str) -> tuple[str, ...]:
    """Return the distinct words of a text, those first that say most about it; punctuation alone says nothing."""
    bare = [word.strip("\"'`.,;:!?()[]") for word in text.split()]
    counts = Counter(word for word in bare if any(c.isalnum() for c in word))
    return tuple(sorted(counts, key=lambda word: (word.lower() in FUNCTION_WORDS, -counts[word])))


def _overlaid(cut: Cut, over: Sequence[str], u: Row, share: float) -> str:
    mixed = list(cut.pieces)
    if mixed and over:
        places = np.sort(np.argsort(u, kind="stable")[: max(1, round(share * len(mixed)))])
        for rank, place in enumerate(places.tolist()):
            mixed[place] = over[rank % len(over)]
    return cut.of_pieces(mixed)


def amplified(x: Text, factor: float) -> Text:
    """Say each text ``factor`` times: what is left over a whole number is that share of its words."""
    return x if factor == 1 else [_repeated(text, factor) for text in x]


def _repeated(text: str, factor: float) -> str:
    whole, rest = divmod(factor, 1)
    said = text.split()
    parts = [text] * int(whole) + [" ".join(said[: round(rest * len(said))])]
    return " ".join(part for part in parts if part)


def occlude(x: Text) -> Iterator[tuple[Text, Text]]:
    """Yield the n-th word of each text and the texts without it, for each n; a shorter text has "" and stays whole."""
    cuts = [words(text) for text in x]
    for place in range(max((len(cut.pieces) for cut in cuts), default=0)):
        hidden = [cut.pieces[place] if place < len(cut.pieces) else "" for cut in cuts]
        yield hidden, [_without(cut, place) for cut in cuts]


def _without(cut: Cut, place: int) -> str:
    pairs = list(cut.pairs())
    return cut.of_pairs(pairs[:place] + pairs[place + 1 :])


def augment(x: Text, index: Tensor, strength: float, draws: Draws) -> Text:
    """Leave words out at random, never all of a text.

    Args:
        x: (B,) texts.
        index: (B,) int64, keys every draw.
        strength: 1 leaves out a tenth of the words.
        draws: Randomness of this epoch.

    Source: Wei and Zou, "EDA", EMNLP 2019, section 2, random deletion.
    """
    cuts = [words(text) for text in x]
    drawn = for_each(draws.stream("dropped").uniform, index, cuts)
    return [_thinned(cut, u, strength * _DROPPED) for cut, u in zip(cuts, drawn, strict=True)]


def _thinned(cut: Cut, u: Row, share: float) -> str:
    kept = u >= min(share, u.max(initial=0.0))
    return cut.of_pairs([pair for pair, keep in zip(cut.pairs(), kept.tolist(), strict=True) if keep])


def fidelity(x: Text, y: Text) -> Mapping[str, Tensor]:
    """Return ``levenshtein``, the similarity of each text of ``y`` to that of ``x``: (B,) in [0, 1], 1 if unchanged.

    It is 1 less the Levenshtein distance in characters as a share of the longer text. Perplexity, grammatical errors
    and the similarity of sentence embeddings, which the field reports too, take a model each.
    """
    return {"levenshtein": torch.tensor([similarity(a, b) for a, b in zip(x, y, strict=True)], dtype=torch.float64)}


def render(x: Text) -> Sequence[Rendering]:
    """Show each text as a paragraph, what went struck out and what came underlined where a difference is shown."""
    if isinstance(x, Marked):
        return [
            Rendering(_paragraph(runs), _counted(runs), text=_plain(text)) for text, runs in zip(x, x.runs, strict=True)
        ]
    return [Rendering(_paragraph([Run("same", _cut(text))]), _size(text), text=_plain(_cut(text))) for text in x]


def _paragraph(runs: Sequence[Run]) -> str:
    inner = "".join(_TAGS[run.mark].format(escape(_plain(run.text))) for run in runs)
    return f'<p dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere">{inner or "<em>empty</em>"}</p>'


def _plain(text: str) -> str:
    """Return a text whose control characters are pictures of themselves: a terminal would obey them."""
    return text.translate(_PICTURES)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _size(text: str) -> str:
    return f"words: {len(text.split())}, characters: {len(text)}"


def _counted(runs: Sequence[Run]) -> str:
    gone, new = (sum(len(run.text.split()) for run in runs if run.mark == mark) for mark in ("gone", "new"))
    return f"words: {gone} gone, {new} new"
