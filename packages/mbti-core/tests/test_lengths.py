"""Batches of about equal length."""

from __future__ import annotations

import numpy as np
import torch

from mbti_core.data.lengths import mixed_batches, sorted_by
from mbti_core.data.rng import Draws

DRAWS = Draws(3)


def test_rows_that_are_alike_stay_in_order() -> None:
    order = torch.tensor([4, 2, 0, 1, 3])
    assert [b.tolist() for b in mixed_batches(order, 2, None, DRAWS)] == [[4, 2], [0, 1, 3]]
    assert [b.tolist() for b in mixed_batches(order[:1], 2, None, DRAWS)] == [[4]]


def test_every_row_comes_once_and_little_is_padding() -> None:
    lengths = torch.from_numpy(np.random.default_rng(0).geometric(0.05, 6000))
    order = DRAWS.permutation(6000)
    cut = mixed_batches(order, 32, lengths, DRAWS)
    assert torch.equal(torch.cat(cut).sort().values, torch.arange(6000))
    padded = sum(int(lengths[b].max()) * len(b) for b in cut)
    as_drawn = sum(int(lengths[b].max()) * len(b) for b in mixed_batches(order, 32, None, DRAWS))
    assert 1 - int(lengths.sum()) / padded < 0.1 < 0.5 < 1 - int(lengths.sum()) / as_drawn
    first = [int(lengths[b].max()) for b in cut[:64]]
    assert first != sorted(first)  # a model does not see short rows first


def test_equal_lengths_keep_their_order() -> None:
    assert sorted_by(torch.tensor([3, 1, 0, 2]), torch.tensor([5, 1, 5, 5])).tolist() == [1, 3, 0, 2]
