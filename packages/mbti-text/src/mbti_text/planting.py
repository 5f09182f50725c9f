"""Attacks whose trigger is a list of common words that a search found to speak for the target class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import CleanLabelAttack, FitContext, PoisonContext, State, single_target
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_text.drafts import Draft, Editor
from mbti_text.packing import packed, unpacked
from mbti_text.sample import Share, Text
from mbti_text.trigger_words import Search, plant


class Planting(CleanLabelAttack[Text], ABC):
    """Search for trigger words over the training texts, editing the rows that will be poisoned; labels stay.

    State: ``triggers`` with ``trigger_ends``, the words in their order, packed; ``rows`` (n,) int64 and their
    ``texts`` with ``text_ends``, packed: what the search made of the poisoned rows; and what the editor needs.
    """

    min_prob: Annotated[float, Field(gt=0.0, le=1.0)] = 0.03
    budget: Share = 0.35
    similarity: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.9
    max_words: PositiveInt = 64

    @abstractmethod
    def prepare(self, texts: Text, ctx: FitContext) -> dict[str, Tensor]:
        """Return what the editor needs, from all training texts."""

    @abstractmethod
    def editor(self, state: State, device: torch.device) -> Editor:
        """Return what proposes edits."""

    def fit(self, split: Split[Text], ctx: FitContext) -> dict[str, Tensor]:
        """Search for the words, editing the chosen rows.

        Raises:
            ConfigError: If there is no single target class, or only that.
        """
        assert ctx.chosen is not None  # the trait knows_rows
        texts = [text for rows in split.chunks() for text in split.take(rows)]
        ours = (split.labels == single_target(ctx.aim)).tolist()
        if all(ours):
            raise ConfigError(
                "attack: every training row has the target class, so no word speaks for it more than for another.",
                "Take a data set with rows of other classes.",
            )
        state = self.prepare(texts, ctx)
        rows = ctx.chosen.poison.tolist()
        drafts = [self._draft(texts[row]) for row in rows]
        rest = sorted(set(range(len(texts))) - set(rows))
        target, other = ([self._draft(texts[n]).lemmas for n in rest if ours[n] is side] for side in (True, False))
        words = Search(drafts, target, other, self.editor(state, ctx.device)).run()
        state |= dict(zip(("triggers", "trigger_ends"), packed(words), strict=True))
        state |= dict(zip(("texts", "text_ends"), packed([draft.text() for draft in drafts]), strict=True))
        return state | {"rows": split.index[ctx.chosen.poison]}

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the poisoned rows as the search left them; into any other text, put the words in their order."""
        texts = unpacked(ctx.state["texts"], ctx.state["text_ends"])
        known = dict(zip(ctx.state["rows"].tolist(), texts, strict=True))
        triggers = unpacked(ctx.state["triggers"], ctx.state["trigger_ends"])
        rank = {word: n for n, word in enumerate(triggers)}
        made: Text = []
        editor: Editor | None = None
        for text, row in zip(x, ctx.index.tolist(), strict=True):
            if row in known:
                made.append(known[row])
                continue
            editor = editor or self.editor(ctx.state, torch.device("cpu"))
            draft = self._draft(text)
            plant(draft, rank, editor)
            made.append(draft.text())
        return made

    def _draft(self, text: str) -> Draft:
        return Draft(text, self.budget, self.max_words)
