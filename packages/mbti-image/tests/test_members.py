from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from mbti_core.contracts.attack import PoisonContext, RowKind
from mbti_core.data.choose import choose_with_cover
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.training.members import members
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.donors import donated, lent, partners, pattern_sources

Contexts = Callable[..., PoisonContext]
Steps = Callable[..., StepContext[Any]]


def batch_of(n: int, epoch: int = 0) -> TrainBatch[Any]:
    index = torch.arange(n)
    return TrainBatch(torch.zeros(n, 3, 2, 2, dtype=torch.uint8), index % 10, index, epoch)


def test_groups_are_disjoint_and_have_their_share(step_context_of: Steps) -> None:
    ctx = step_context_of(nn.Identity(), ratio=0.1)
    groups = members(batch_of(10000), ctx, 1.0, 2.0, 0.5)
    for group, expected in zip(groups, (1000, 2000, 500), strict=True):
        assert len(group) == pytest.approx(expected, abs=4 * expected**0.5)
        assert (group.diff() > 0).all()
    together = torch.cat(groups).tolist()
    assert len(set(together)) == len(together)


def test_the_last_group_gets_what_is_left(step_context_of: Steps) -> None:
    ctx = step_context_of(nn.Identity(), ratio=0.6)
    first, second = members(batch_of(10000), ctx, 1.0, 2.0)
    assert len(first) == pytest.approx(6000, abs=200)
    assert len(first) + len(second) == 10000


def test_members_change_with_the_epoch_and_not_with_the_batch(step_context_of: Steps) -> None:
    ctx = step_context_of(nn.Identity(), ratio=0.3)
    whole = batch_of(200)
    (rows,) = members(whole, ctx, 1.0)
    assert not torch.equal(rows, members(batch_of(200, epoch=1), ctx, 1.0)[0])
    parts = [TrainBatch(whole.x[at], whole.y[at], whole.index[at], 0) for at in torch.arange(200).split(7)]
    ids = torch.cat([part.index[members(part, ctx, 1.0)[0]] for part in parts])
    assert torch.equal(ids, rows)


def test_cover_takes_what_is_left(split: Split[Any]) -> None:
    eligible = split.labels != 3
    chosen = choose_with_cover(split, eligible, 30, 2.0, Draws(1))
    assert (len(chosen.poison), len(chosen.cover)) == (30, 15)
    assert eligible.sum() == 45
    assert bool(eligible[torch.cat([chosen.poison, chosen.cover])].all())


def test_no_row_lends_to_itself() -> None:
    donors = torch.tensor([5, 8, 11])
    index = torch.arange(300)
    places = lent(index, donors, Draws(2))
    assert (donors[places] != index).all()
    counts = torch.bincount(places, minlength=3)
    assert (counts > 70).all()
    assert torch.equal(lent(index[7:9], donors, Draws(2)), places[7:9])


def test_cover_rows_take_patterns_of_donors(images: Any, split: Split[Any], context_of: Contexts) -> None:
    state = donated(split, 20, Draws(3))
    assert state["donors"].shape == (20, 3, 32, 32)
    assert torch.equal(pattern_sources(images, context_of(split.index, state)), images)
    ctx = context_of(split.index, state, RowKind.COVER)
    before = images.clone()
    sources = pattern_sources(images, ctx)
    assert torch.equal(images, before)
    ids = {int(i) for i in state["donor_ids"]}
    known = {split.take(torch.tensor([row])).numpy().tobytes(): int(split.index[row]) for row in range(50)}
    for row, source in enumerate(sources):
        owner = known[source[None].numpy().tobytes()]
        assert owner in ids
        assert owner != int(split.index[row])


def test_a_partner_is_another_row() -> None:
    for size in (2, 3, 64, 65):
        rows = torch.arange(size)
        found = partners(rows, size)
        assert (found != rows).all()
        assert len(found.unique()) == size
