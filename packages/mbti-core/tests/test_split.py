from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mbti_core.data.choose import stratified_rows, uniform_rows
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.rng import Draws
from mbti_core.data.split import CHUNK_BYTES, MappedColumn, OverlayColumn, Split, ViewColumn, clean_kinds
from mbti_core.testing import toy

MODALITY = toy.modality()


def column(values: list[int]) -> ArrayColumn:
    return ArrayColumn(np.array(values, dtype=np.uint8).reshape(-1, 1))


def split_of(n: int, width: int = 4, classes: int = 4) -> Split[Tensor]:
    x = np.arange(n * width, dtype=np.int64).reshape(n, width)
    y = torch.arange(n) % classes
    return Split(ArrayColumn(x), y, y, clean_kinds(n), torch.arange(n) + 100, MODALITY)


ROWS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)), st.lists(st.integers(0, n - 1), max_size=40))
)


@given(case=ROWS)
def test_overlay_equals_a_list_with_replaced_entries(case: tuple[int, set[int], list[int]]) -> None:
    n, changed, asked = case
    base = list(range(n))
    slot = torch.full((n,), -1)
    expected = list(base)
    for at, row in enumerate(sorted(changed)):
        slot[row] = at
        expected[row] = 200 + at
    overlay = OverlayColumn(column(base), column([200 + i for i in range(len(changed))]), slot, MODALITY)
    assert len(overlay) == n
    if asked:
        assert overlay.take(torch.tensor(asked)).flatten().tolist() == [expected[i] for i in asked]


@given(case=ROWS)
def test_view_equals_a_list_of_picked_entries(case: tuple[int, set[int], list[int]]) -> None:
    n, picked, _ = case
    rows = sorted(picked, reverse=True)
    view = ViewColumn(column(list(range(n))), torch.tensor(rows, dtype=torch.int64))
    assert len(view) == len(rows)
    if rows:
        backwards = torch.arange(len(rows) - 1, -1, -1)
        assert view.take(backwards).flatten().tolist() == rows[::-1]


def test_mapped_column_knows_the_rows_it_changes() -> None:
    mapped = MappedColumn(column([10, 20, 30]), lambda x, rows: x + rows[:, None].to(torch.uint8))
    assert len(mapped) == 3
    assert mapped.take(torch.tensor([2, 0])).flatten().tolist() == [32, 10]


@given(start=st.integers(0, 9), length=st.integers(1, 10), step=st.sampled_from([-1, 1, 2]))
def test_array_column_reads_runs_and_others_alike_and_gives_copies(start: int, length: int, step: int) -> None:
    source = column(list(range(100)))
    rows = torch.arange(length) * step + start + (20 if step < 0 else 0)
    taken = source.take(rows)
    assert taken.flatten().tolist() == rows.tolist()
    taken += 1
    assert source.array.flatten().tolist() == list(range(100))


def test_subset_keeps_labels_and_ids_beside_their_samples() -> None:
    split = split_of(12)
    part = split.subset(torch.tensor([7, 2, 2]))
    assert len(part) == 3
    assert part.index.tolist() == [107, 102, 102]
    assert part.labels.tolist() == [3, 2, 2]
    assert torch.equal(part.take(torch.tensor([0, 2])), split.take(torch.tensor([7, 2])))
    assert part.subset(torch.tensor([1])).index.tolist() == [102]


@given(n=st.integers(0, 5000), width=st.sampled_from([1, 100, 40_000]))
def test_chunks_cover_each_row_once_in_pieces_of_a_megabyte(n: int, width: int) -> None:
    x = np.lib.stride_tricks.as_strided(np.zeros(width, dtype=np.uint8), (n, width), (0, 1))
    y = torch.zeros(n, dtype=torch.int64)
    split = Split(ArrayColumn(x), y, y, clean_kinds(n), torch.arange(n), MODALITY)
    chunks = list(split.chunks())
    assert torch.equal(torch.cat([*chunks, torch.zeros(0, dtype=torch.int64)]), torch.arange(n))
    assert all(len(c) * width <= max(CHUNK_BYTES, width) for c in chunks)


def test_dense_modality_writes_what_it_reads(tmp_path: Path) -> None:
    batches = [torch.arange(24, dtype=torch.uint8).reshape(-1, 2, 3), torch.full((1, 2, 3), 9, dtype=torch.uint8)]
    MODALITY.write(iter(batches), tmp_path, 5)
    opened = MODALITY.open(tmp_path)
    assert len(opened) == 5
    assert MODALITY.row_bytes(opened) == 6
    assert torch.equal(opened.take(torch.arange(5)), torch.cat(batches))
    held = MODALITY.hold(opened, None, torch.device("cpu"))
    assert torch.equal(held.take(torch.tensor([4, 0])), torch.cat(batches)[[4, 0]])


def test_dense_modality_writes_an_empty_column(tmp_path: Path) -> None:
    MODALITY.write(iter([]), tmp_path, 0)
    assert len(MODALITY.open(tmp_path)) == 0


def test_uniform_rows_takes_only_eligible_ones() -> None:
    split = split_of(200)
    eligible = split.labels != 0
    poison, cover = uniform_rows(split, eligible, 30, Draws(0))
    assert len(poison) == 30
    assert len(set(poison.tolist())) == 30
    assert poison.tolist() == sorted(poison.tolist())
    assert bool(eligible[poison].all())
    assert len(cover) == 0


def test_uniform_rows_gives_all_where_there_are_fewer() -> None:
    split = split_of(20)
    poison, _ = uniform_rows(split, split.labels == 1, 50, Draws(0))
    assert poison.tolist() == [1, 5, 9, 13, 17]


def test_uniform_rows_follows_ids_and_not_the_order_of_the_split() -> None:
    split = split_of(100)
    order = torch.randperm(100)
    everything = torch.ones(100, dtype=torch.bool)
    poison, _ = uniform_rows(split, everything, 10, Draws(3))
    shuffled, _ = uniform_rows(split.subset(order), everything, 10, Draws(3))
    assert set(split.index[poison].tolist()) == set(split.index[order][shuffled].tolist())


def test_a_larger_share_holds_the_smaller_one() -> None:
    split, everything = split_of(100), torch.ones(100, dtype=torch.bool)
    few, _ = uniform_rows(split, everything, 10, Draws(3))
    many, _ = uniform_rows(split, everything, 40, Draws(3))
    assert set(few.tolist()) <= set(many.tolist())


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(lambda c: sum(c) > 0),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**62),
)
def test_stratified_rows_keep_the_shares_within_one_row(counts: list[int], share: float, seed: int) -> None:
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    n = round(share * len(y))
    rows = stratified_rows(y, torch.arange(len(y)), n, Draws(seed))
    assert len(rows) == n
    assert rows.tolist() == sorted(set(rows.tolist()))
    got = torch.bincount(y[rows], minlength=len(counts))
    exact = torch.tensor(counts, dtype=torch.float64) * n / len(y)
    assert float((got - exact).abs().max()) <= 1 + 1e-9


def test_stratified_rows_never_give_more_than_there_are() -> None:
    assert len(stratified_rows(torch.tensor([0, 1, 1]), torch.arange(3), 10, Draws(0))) == 3
