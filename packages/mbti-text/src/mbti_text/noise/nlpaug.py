"""The augmenters of nlpaug."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.data.rng import scoped_globals
from mbti_core.errors import MissingPluginError
from mbti_text.sample import Share, Text

Augmenter = Literal["ocr", "keyboard", "insert", "substitute", "swap", "spelling"]


class Nlpaug(Noise[Text]):
    """Change each text by one of nlpaug's augmenters, drawn for it.

    An augmenter hits a share of the words, at least one and at most ten, and nlpaug writes the text anew: white space
    becomes single spaces, and punctuation is set as nlpaug sets it. A text of which it can change no word stays a text.

    Attributes:
        level: Share of the words that are hit.
        augmenters: What is drawn from. ``ocr``, ``keyboard``, ``insert``, ``substitute`` and ``swap`` change 30 % of
            the characters of a hit word, all but ``ocr`` only in words of four and more; ``spelling`` misspells it.

    Shape: (B,) texts.

    Raises:
        MissingPluginError: If nlpaug is not installed.

    Source: Ma, "nlpaug", 2019, version 1.1.11; Yu et al. 2025 (BackdoorMBTI), code, noise of texts: one of these at its
    defaults, with a probability of a quarter per text.
    Deviates: drawn once per row instead of at each access. Without WordNet synonyms, whose data nlpaug fetches from the
    network when they are used, and without words from a masked language model: for those, nlpaug 1.1.11 calls what
    transformers 5 no longer has.
    """

    level: Share = 0.3
    augmenters: Annotated[tuple[Augmenter, ...], Field(min_length=1)] = get_args(Augmenter)

    def apply(self, x: Text, ctx: NoiseContext) -> Text:
        """Return the changed texts; the global generators, which nlpaug draws from, are seeded by row and restored."""
        if not self.level:
            return x
        index = ctx.index.cpu()
        chosen = ctx.draws.stream("augmenter").integers(index, len(self.augmenters)).tolist()
        seeds = ctx.draws.stream("nlpaug").bits(index).tolist()
        return [self._changed(*row) for row in zip(x, chosen, seeds, strict=True)]

    def _changed(self, text: str, chosen: int, seed: int) -> str:
        augmenter = _augmenter(self.augmenters[chosen], self.level)
        with scoped_globals(seed):
            made = augmenter.augment(text)
        return str(made[0]) if made else text


@lru_cache(maxsize=len(get_args(Augmenter)))
def _augmenter(name: Augmenter, level: float) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its source has escapes that Python warns of
            from nlpaug.augmenter import char, word  # noqa: PLC0415 - an extra, and ten seconds
    except ImportError as error:
        raise MissingPluginError(
            "The noise 'text/nlpaug' needs the package nlpaug.", 'pip install "mbti-text[nlpaug]"'
        ) from error
    if name == "ocr":
        return char.OcrAug(aug_word_p=level)
    if name == "keyboard":
        return char.KeyboardAug(aug_word_p=level)
    if name == "spelling":
        spelling = word.SpellingAug(aug_p=level)
        for found in spelling.model.dict.values():
            found.sort()  # it comes out of sets, whose order differs from process to process
        return spelling
    return char.RandomCharAug(action=name, aug_word_p=level)
