"""How text is stored, held and made into model inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbti_core.contracts.modality import Column, Modality
from mbti_text.tokens import TextModel, Texts, TokenBatch, TokenRows

_FILE = "x.arrow"
_PROBE = 64  # rows that say how long a text is
_ENCODE = 1024  # texts encoded at once


class TextColumn:
    """Rows of a memory-mapped Arrow IPC file; a row is decoded when it is taken."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415 - listings stay light

        with pa.memory_map(str(path)) as source:
            self._chunks = pa.ipc.open_file(source).read_all().column("x").chunks
        # Arrow's own take on a chunked column joins all chunks first, so rows are looked up chunk by chunk.
        self._ends = np.cumsum([len(c) for c in self._chunks], dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of texts."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def take(self, rows: Tensor) -> list[str]:
        """Return the texts at positions ``rows`` (n,)."""
        at = rows.numpy()
        chunk = np.searchsorted(self._ends, at, side="right")
        texts = np.empty(len(at), dtype=object)
        for c in np.unique(chunk):
            mine = chunk == c
            first = self._ends[c] - len(self._chunks[c])
            texts[mine] = self._chunks[c].take(at[mine] - first).to_pylist()
        return list(texts)


@dataclass(frozen=True)
class HeldTexts:
    """Texts in memory, with their token ids on the device where a model encoded them."""

    texts: Sequence[str]
    tokens: TokenRows | None

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    def take(self, rows: Tensor) -> list[str]:
        """Return the texts at positions ``rows`` (n,), as ``Texts`` where their tokens are known."""
        strings = [self.texts[row] for row in rows.tolist()]
        return strings if self.tokens is None else Texts(strings, self.tokens.take(rows))

    def lengths(self) -> Tensor | None:
        """Return (N,) numbers of tokens, where a model encoded the texts."""
        return None if self.tokens is None else self.tokens.start.diff()


class TextModality(Modality[list[str]]):
    """Text: a sample is a ``str``; a column is one Arrow IPC file."""

    name = "text"
    summary = "Text as strings; the model brings its tokenizer"

    def write(self, batches: Iterable[list[str]], folder: Path, total: int) -> None:
        """Write ``x.arrow``, one record batch per batch."""
        import pyarrow as pa  # noqa: PLC0415 - listings stay light

        del total
        schema = pa.schema([("x", pa.string())])
        with pa.OSFile(str(folder / _FILE), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(pa.record_batch([pa.array(batch, pa.string())], schema=schema))

    def open(self, folder: Path) -> Column[list[str]]:
        """Open ``x.arrow`` memory-mapped."""
        return TextColumn(folder / _FILE)

    def row_bytes(self, column: Column[list[str]]) -> int:
        """Return the mean size of the first texts, with Python's overhead of about 50 bytes each."""
        texts = column.take(torch.arange(min(_PROBE, len(column))))
        return 50 + sum(len(t.encode()) for t in texts) // max(1, len(texts))

    def join(self, parts: Sequence[list[str]]) -> list[str]:
        """Concatenate lists."""
        return [text for part in parts for text in part]

    def select(self, x: list[str], rows: Tensor) -> list[str]:
        """Pick list items."""
        return [x[row] for row in rows.tolist()]

    def hold(self, column: Column[list[str]], model: nn.Module | None, device: torch.device) -> HeldTexts:
        """Read the column once; a ``TextModel`` encodes it, without padding, onto the device."""
        texts = column.take(torch.arange(len(column)))
        if not isinstance(model, TextModel):
            return HeldTexts(texts, None)
        batches = (model.encode(texts[at : at + _ENCODE]) for at in range(0, len(texts), _ENCODE))
        return HeldTexts(texts, TokenRows.gather(batches, device))

    def to_input(self, x: Any, device: torch.device) -> TokenBatch | list[str]:
        """Return the tokens that the batch carries; strings without tokens stay strings: the model encodes them."""
        return x.tokens.to(device) if isinstance(x, Texts) else list(x)
