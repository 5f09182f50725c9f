"""Paraphrases that somebody made earlier, looked up by row id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from mbti_core.data.split import place_of
from mbti_core.errors import DataFormatError
from mbti_text.packing import packed, unpacked
from mbti_text.paraphrase import Paraphraser

TestPart = Literal["dev", "test"]


def mark(text: str) -> int:
    """Return the first 63 bits of the sha256 of a text without the white space around it."""
    return mark_of(hashlib.sha256(text.strip().encode()).hexdigest())


def mark_of(sha256: str) -> int:
    """Return the same of a digest in hexadecimal digits."""
    return int(sha256[:16], 16) >> 1


def said(row: int) -> str:
    """Return a row id in words."""
    part, place = place_of(row)
    return f"row {place:,} of the {part} part"


@dataclass(frozen=True)
class Pairs(Paraphraser):
    """Paraphrases by row id.

    Attributes:
        texts: The paraphrase of each row.
        marks: ``mark`` of the originals, where they are known.
        whole: Whether they are known of every row of the data set, also of those without a paraphrase.
        origin: The file, for messages.
        target: The label that the attack works towards, where the file says so.
    """

    texts: Mapping[int, str]
    marks: Mapping[int, int] = field(default_factory=dict)
    whole: bool = False
    origin: str = ""
    target: int | None = None

    def transform(self, texts: Sequence[str], index: Tensor) -> list[str | None]:
        """Return the rows' paraphrases, whatever their texts are now."""
        del texts
        return [self.texts.get(row) for row in index.tolist()]

    def check(self, texts: Sequence[str], index: Tensor) -> None:
        """Compare clean texts with the originals of the pairs, where these are known.

        Raises:
            DataFormatError: If one is another text.
        """
        for text, row in zip(texts, index.tolist(), strict=True):
            if (row in self.marks or self.whole) and self.marks.get(row) != mark(text):
                found = "its hash is not that of the original" if row in self.marks else "there is no such original"
                raise DataFormatError(
                    f"{self.origin}: the paraphrases were made of other texts: {said(row)} of the data set is "
                    f"{text[:60]!r}; {found}.",
                    "Name the pairs of this data set; of a folder, also attack.originals and attack.test_part.",
                )

    def state(self) -> dict[str, Tensor]:
        """Return ``ids`` (n,) int64 and their ``texts``, packed; ``known`` (m,) int64 rows and their ``marks``."""
        data, ends = packed(list(self.texts.values()))
        found = {"ids": list(self.texts), "known": list(self.marks), "marks": list(self.marks.values())}
        numbers = {name: torch.tensor(values, dtype=torch.int64) for name, values in found.items()}
        return {**numbers, "texts": data, "ends": ends}

    @classmethod
    def of_state(cls, state: Mapping[str, Tensor], origin: str, *, whole: bool) -> Pairs:
        """Return what ``state`` gave."""
        texts = unpacked(state["texts"], state["ends"])
        marks = dict(zip(state["known"].tolist(), state["marks"].tolist(), strict=True))
        return cls(dict(zip(state["ids"].tolist(), texts, strict=True)), marks, whole, origin)
