from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mbti_core.contracts.attack import Aim, PoisonContext
from mbti_core.data.rng import Draws
from mbti_image.attacks.badnets import BadNets


def context(n: int) -> PoisonContext:
    rows = torch.arange(n)
    return PoisonContext(rows, rows % 10, torch.ones(n, dtype=torch.uint8), "train", Aim(0, 10), Draws(0), {})


def images(n: int, side: int = 32) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 255, (n, 3, side, side), dtype=np.uint8))


def test_agrees_with_the_formula() -> None:
    x = images(20)
    mask = np.zeros((32, 32), dtype=np.int64)
    for row in (29, 30, 31):
        for column in (29, 30, 31):
            mask[row, column] = 1
    expected = x.numpy() * (1 - mask) + 255 * mask  # x' = x (1 - m) + t m
    got = BadNets().poison(x, context(20))
    assert got.dtype == torch.uint8
    np.testing.assert_array_equal(got.numpy(), expected)
    assert int((got != x).sum()) <= 20 * 27


def test_is_pure_idempotent_and_independent_of_batch_size() -> None:
    x = images(20)
    before = x.clone()
    whole = BadNets(size=4, value=200).poison(x, context(20))
    assert torch.equal(x, before)
    assert torch.equal(BadNets(size=4, value=200).poison(whole, context(20)), whole)
    for size in (1, 7):
        parts = [BadNets(size=4, value=200).poison(part, context(len(part))) for part in x.split(size)]
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("settings", [{"size": 0}, {"value": 256}, {"value": -1}, {"ratio": 0.1}])
def test_refuses_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BadNets.model_validate(settings)


def test_label_of_the_attacker() -> None:
    y = torch.tensor([0, 3, 9])
    assert BadNets().goal(y, Aim(2, 10)).tolist() == [2, 2, 2]
    assert BadNets().goal(y, Aim("all-to-all", 10)).tolist() == [1, 4, 0]
