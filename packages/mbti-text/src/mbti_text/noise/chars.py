"""Characters inserted, swapped, substituted and deleted at a character error rate."""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mbti_core.contracts.noise import Noise, NoiseContext
from mbti_core.errors import MissingPluginError
from mbti_text.sample import Share, Text

Action = Literal["insert", "swap", "substitute", "delete"]
_MOST_SWAPS = 0.5094  # (4 - 2 sqrt(3)) / 1.052: each character changes places once at most


class CharErrors(Noise[Text]):
    """Change characters so that the expected character error rate is ``level``.

    The rate is the Levenshtein distance as a share of the clean text's length. Several actions happen one after
    another, each so rarely that all together would reach the level if none undid another's work. They do a little:
    measured on the 872 sentences of SST-2's development set, 0.10 gives 0.097 with all four actions, 0.20 gives 0.189.

    Attributes:
        level: Expected character error rate; with ``swap`` at most 0.509, as a character is swapped only once.
        actions: What happens, in this order. ``insert`` puts a random ASCII letter behind a character, ``substitute``
            replaces one by another such letter, ``swap`` exchanges neighbors.

    Shape: (B,) texts; lengths change by inserting and deleting.

    Raises:
        MissingPluginError: If textnoisr is not installed.
    Source: textnoisr 1.2 (Preligens, 2023), which Yu et al. 2025 (BackdoorMBTI) name in section 4.1, level 0.1.
    Deviates: nothing from textnoisr. BackdoorMBTI's code holds textnoisr and never calls it.
    """

    level: Share = 0.1
    actions: Annotated[tuple[Action, ...], Field(min_length=1)] = ("insert", "swap", "substitute", "delete")

    @model_validator(mode="after")
    def _swaps_reach_the_level(self) -> CharErrors:
        if "swap" in self.actions and self.level > _MOST_SWAPS:
            raise ValueError(f"level: expected at most {_MOST_SWAPS} with the action swap, got {self.level}")
        return self

    def apply(self, x: Text, ctx: NoiseContext) -> Text:
        """Return the noisy texts, each from a generator of its own, seeded by its row id."""
        if not self.level:
            return x
        try:
            from textnoisr.noise import CharNoiseAugmenter  # noqa: PLC0415 - an extra, and it imports scipy
        except ImportError as error:
            raise MissingPluginError(
                "The noise 'text/chars' needs the package textnoisr.", 'pip install "mbti-text[noise]"'
            ) from error
        seeds = ctx.draws.stream("chars").bits(ctx.index.cpu()).tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # its solver says that a single character cannot be swapped
            return [
                str(CharNoiseAugmenter(self.level, self.actions, seed=seed).add_noise(text))
                for text, seed in zip(x, seeds, strict=True)
            ]
