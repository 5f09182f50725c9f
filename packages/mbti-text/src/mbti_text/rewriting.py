"""Attacks that replace a text by a paraphrase."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Selection
from mbti_core.contracts.modality import Column
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import OverlayColumn, Split, ViewColumn, batches
from mbti_core.errors import ConfigError, DataUnavailableError
from mbti_text.pair_files import read_pairs
from mbti_text.pairs import Pairs, TestPart
from mbti_text.paraphrase import Paraphraser, dressed_like
from mbti_text.sample import Text
from mbti_text.selection import TextAttack
from mbti_text.seq2seq import load_seq2seq

_BATCH = 256


class Rewriting(TextAttack, ABC):
    """A text in other words, from a file of pairs or by a local encoder-decoder.

    In training only rows are taken that have a paraphrase; a test row without one gets that of ``rule``.
    """

    pairs: FileRef | None = None
    originals: FileRef | None = None
    test_part: TestPart = "dev"
    model: FileRef | None = None
    prefix: str = ""
    max_tokens: PositiveInt = 64

    @abstractmethod
    def rule(self, draws: Draws) -> Paraphraser:
        """Return what paraphrases a test row that has no paraphrase."""

    def fit(self, split: Split[Text], ctx: FitContext) -> dict[str, Tensor]:
        """Read the pairs and compare their originals with the rows, as they were before any noise.

        Raises:
            ConfigError: If both or neither of pairs and model are named, or the pairs were made for another target.
            DataUnavailableError: If a file is missing, or neither pairs nor model are named.
            DataFormatError: If a file does not hold what its layout promises, or pairs were made of other texts.
        """
        source = self._source()
        if not isinstance(source, Pairs):
            return {}
        if source.target not in (None, ctx.aim.target):
            raise ConfigError(
                f"attack.target: expected {source.target}, the label of the poisoned rows in {source.origin}; "
                f"got {ctx.aim.target}.",
                f"Set attack.target to {source.target}.",
            )
        for at in split.chunks():
            source.check(_before_noise(split.column).take(at), split.index[at])
        return source.state()

    def choose(self, split: Split[Text], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose ``n`` of the rows that ``mode`` allows and that have a paraphrase."""
        source = self._source()
        rows = torch.nonzero(self.allowed(split, aim)).flatten()
        order = rows[torch.argsort(draws.stream("choose").bits(split.index[rows]), stable=True)]
        kept: list[int] = []
        for at in batches(order, _BATCH):
            made = source.transform(split.take(at), split.index[at])
            kept += [row for row, text in zip(at.tolist(), made, strict=True) if text is not None]
            if len(kept) >= n:
                break
        return Selection(torch.tensor(kept[:n], dtype=torch.int64).sort().values, rows[:0])

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the paraphrases, written as the texts are."""
        source: Paraphraser
        if self.pairs is not None:
            source = Pairs.of_state(ctx.state, self.pairs, whole=self.originals is not None)
            if ctx.role == "test":
                source.check(x, ctx.index)
        else:
            source = self._source()
        made, instead = source.transform(x, ctx.index), self.rule(ctx.draws.stream("rule")).transform(x, ctx.index)
        found = zip(x, made, instead, strict=True)
        return [dressed_like(text, clean) if text is not None else rule or clean for clean, text, rule in found]

    def _source(self) -> Pairs | Paraphraser:
        name = type(self).__name__.lower()
        if self.pairs is None and self.model is None:
            raise DataUnavailableError(
                f"{name} needs paraphrases; neither attack.pairs nor attack.model names any.",
                f"Name a file of pairs or the folder of an encoder-decoder, or choose {name}_rule, which needs none.",
            )
        if self.pairs is not None and self.model is not None:
            raise ConfigError("attack.pairs and attack.model: expected one of them, got both.", "Leave one out.")
        if self.pairs is not None:
            return read_pairs(Path(self.pairs), Path(self.originals) if self.originals else None, self.test_part)
        assert self.model is not None
        return load_seq2seq(Path(self.model), self.prefix, self.max_tokens)


def _before_noise(column: Column[Any]) -> Column[Any]:
    """Return a column without what stages laid over it."""
    if isinstance(column, OverlayColumn):
        return _before_noise(column.base)
    return ViewColumn(_before_noise(column.base), column.rows) if isinstance(column, ViewColumn) else column
