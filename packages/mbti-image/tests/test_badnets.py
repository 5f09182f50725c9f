from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mbti_core.contracts.attack import Aim, PoisonContext
from mbti_image.attacks.badnets import BadNets


def test_agrees_with_the_formula(images: torch.Tensor, context_of: Callable[..., PoisonContext]) -> None:
    mask = np.zeros((32, 32), dtype=np.int64)
    for row in (29, 30, 31):
        for column in (29, 30, 31):
            mask[row, column] = 1
    expected = images.numpy() * (1 - mask) + 255 * mask  # x' = x (1 - m) + t m
    got = BadNets().poison(images, context_of(torch.arange(50), {}))
    np.testing.assert_array_equal(got.numpy(), expected)
    assert int((got != images).sum(dim=(1, 2, 3)).max()) <= 27


def test_is_idempotent(images: torch.Tensor, context_of: Callable[..., PoisonContext]) -> None:
    ctx = context_of(torch.arange(50), {})
    once = BadNets(size=4, value=200).poison(images, ctx)
    assert torch.equal(BadNets(size=4, value=200).poison(once, ctx), once)


@pytest.mark.parametrize("settings", [{"size": 0}, {"value": 256}, {"value": -1}, {"ratio": 0.1}])
def test_refuses_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BadNets.model_validate(settings)


def test_label_of_the_attacker() -> None:
    y = torch.tensor([0, 3, 9])
    assert BadNets().goal(y, torch.arange(3), Aim(2, 10)).tolist() == [2, 2, 2]
    assert BadNets().goal(y, torch.arange(3), Aim("all-to-all", 10)).tolist() == [1, 4, 0]
