"""Text columns, held tokens and model inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mbti_core.data.split import OverlayColumn, Split, clean_kinds
from mbti_text.modality import TextColumn, TextModality
from mbti_text.tokens import TextModel, Texts, TokenBatch, TokenRows

TEXTS = ["a plain sentence", "", "naïve — 漢字 🎉", "a\ttab\nand a line", "'quotes' \"both\"", "x" * 5000, " leading"]
CPU = torch.device("cpu")
MODALITY = TextModality()


class ByteModel(TextModel):
    """Tokens are bytes plus one; the logits count them and weigh them by their values."""

    def __init__(self) -> None:
        super().__init__(max_tokens=10_000)
        self.weight = nn.Parameter(torch.ones(1))
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        self.encoded += len(texts)
        rows = [torch.tensor([b + 1 for b in t.encode()], dtype=torch.int64) for t in texts]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return TokenBatch(ids, ids > 0)

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i - 1 for i in ids).decode()

    def logits(self, batch: TokenBatch) -> Tensor:
        return torch.stack([batch.mask.sum(1), (batch.ids * batch.mask).sum(1)], 1) * self.weight


def stored(texts: list[str], folder: Path, batch: int = 3) -> TextColumn:
    MODALITY.write((texts[at : at + batch] for at in range(0, len(texts), batch)), folder, len(texts))
    column = MODALITY.open(folder)
    assert isinstance(column, TextColumn)
    return column


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_texts_come_back_in_any_order_and_repeated(tmp_path: Path, batch: int) -> None:
    column = stored(TEXTS, tmp_path, batch)
    rows = torch.tensor([6, 0, 2, 2, 5, 1, 4, 3])
    assert len(column) == len(TEXTS)
    assert column.take(rows) == [TEXTS[row] for row in rows.tolist()]


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8")), max_size=20), batch=st.integers(1, 7))
def test_any_text_survives_the_store(tmp_path_factory: pytest.TempPathFactory, texts: list[str], batch: int) -> None:
    column = stored(texts, tmp_path_factory.mktemp("text"), batch)
    assert column.take(torch.arange(len(texts))) == texts


def test_an_empty_column_is_a_column(tmp_path: Path) -> None:
    column = stored([], tmp_path)
    assert (len(column), column.take(torch.arange(0))) == (0, [])
    assert MODALITY.row_bytes(column) > 0
    held = MODALITY.hold(column, ByteModel(), CPU)
    assert isinstance(MODALITY.to_input(held.take(torch.arange(0)), CPU), TokenBatch)


def test_columns_are_plain_arrow_files(tmp_path: Path) -> None:
    import pyarrow as pa

    stored(TEXTS, tmp_path)
    with pa.memory_map(str(tmp_path / "x.arrow")) as source:
        assert pa.ipc.open_file(source).read_all().column("x").to_pylist() == TEXTS


def test_join_and_select_agree_with_lists() -> None:
    joined = MODALITY.join([TEXTS[:3], [], TEXTS[3:]])
    assert joined == TEXTS
    assert MODALITY.select(joined, torch.tensor([4, 0])) == [TEXTS[4], TEXTS[0]]


def test_a_split_walks_chunks_and_lays_changed_rows_over(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "changed").mkdir()
    base, changed = stored(TEXTS, tmp_path / "base"), stored(["poisoned one", "poisoned two"], tmp_path / "changed")
    slot = torch.tensor([-1, 0, -1, -1, 1, -1, -1])
    n = torch.arange(len(TEXTS))
    split = Split(OverlayColumn(base, changed, slot, MODALITY), n * 0, n * 0, clean_kinds(len(n)), n, MODALITY)
    assert split.take(n) == [TEXTS[0], "poisoned one", TEXTS[2], TEXTS[3], "poisoned two", *TEXTS[5:]]
    assert torch.cat(list(split.chunks())).tolist() == n.tolist()


def test_a_held_column_is_encoded_once_and_gives_the_same_logits_as_strings(tmp_path: Path) -> None:
    model = ByteModel()
    held = MODALITY.hold(stored(TEXTS, tmp_path), model, CPU)
    assert model.encoded == len(TEXTS)
    rows = torch.tensor([5, 0, 1, 6])
    batch = held.take(rows)
    assert isinstance(batch, Texts)
    assert batch == [TEXTS[row] for row in rows.tolist()]
    from_tokens = model(MODALITY.to_input(batch, CPU))
    assert model.encoded == len(TEXTS)
    expected = [[len(TEXTS[r].encode()), sum(b + 1 for b in TEXTS[r].encode())] for r in rows.tolist()]
    assert from_tokens.tolist() == expected
    assert model(MODALITY.to_input(list(batch), CPU)).tolist() == expected


def test_a_changed_text_loses_its_tokens(tmp_path: Path) -> None:
    model = ByteModel()
    batch = MODALITY.hold(stored(TEXTS, tmp_path), model, CPU).take(torch.tensor([0, 2]))
    triggered = [f"{text} cf" for text in batch]
    assert MODALITY.to_input(triggered, CPU) == triggered
    assert model(MODALITY.to_input(triggered, CPU))[:, 0].tolist() == [len(t.encode()) for t in triggered]


def test_without_a_text_model_nothing_is_encoded(tmp_path: Path) -> None:
    held = MODALITY.hold(stored(TEXTS, tmp_path), nn.Linear(1, 1), CPU)
    assert held.take(torch.tensor([3])) == [TEXTS[3]]
    assert not isinstance(held.take(torch.tensor([3])), Texts)


def test_token_rows_pad_to_the_longest_of_the_batch_only() -> None:
    ids = torch.tensor([[5, 6, 0], [7, 0, 0], [8, 9, 4]])
    rows = TokenRows.gather([TokenBatch(ids, ids > 0)], CPU)
    short = rows.take(torch.tensor([1, 0]))
    assert short.ids.tolist() == [[7, 0], [5, 6]]
    assert short.mask.tolist() == [[True, False], [True, True]]
