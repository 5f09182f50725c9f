"""Removing units: which part of which parameter is a unit's, and that nothing else changes."""

from __future__ import annotations

import torch
from torch import nn

from mbti_core.contracts.model import PrunableLayer
from mbti_core.data.rng import scoped_globals
from mbti_core.training.pruning import shares, silence


def made(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers).eval()


def test_a_silent_channel_gives_nothing_after_its_norm() -> None:
    with scoped_globals(0):
        model, x = made(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)), torch.randn(2, 3, 8, 8)
    norm = model.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.constant_(norm.bias, 3.0)
    before = model(x)
    silence(model, PrunableLayer("0", 6, norm="1"), torch.tensor([1, 4]))
    after = model(x)
    assert not after[:, [1, 4]].any()
    assert torch.equal(after[:, [0, 2, 3, 5]], before[:, [0, 2, 3, 5]])


def test_blocks_of_inputs_are_cut_and_the_bias_stays() -> None:
    with scoped_globals(0):
        model, x = made(nn.Linear(6, 4)), torch.randn(5, 6)
    layer = PrunableLayer("0", 3, axis=1, parameters=("weight",), block=2)
    (part,) = shares(model, layer)
    assert part.shape == (3, 4, 2)
    silence(model, layer, torch.tensor([1]))
    other = x.clone()
    other[:, 2:4] = 9.0
    assert torch.equal(model(x), model(other))
    assert model.get_parameter("0.bias").all()


def test_units_may_start_anywhere() -> None:
    with scoped_globals(0):
        model, x = nn.LSTM(3, 4), torch.randn(7, 2, 3)
    owned = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    silence(model, PrunableLayer("", 4, parameters=owned, first=8), torch.tensor([2]))
    answers = model(x)[0]
    assert not answers[..., 2].any()
    assert answers[..., [0, 1, 3]].all()


def test_the_last_axis_is_each_parameter_s_own() -> None:
    model = made(nn.Linear(3, 5))
    with torch.no_grad():
        model.register_parameter("w", nn.Parameter(torch.ones(3, 5)))
        model.register_parameter("b", nn.Parameter(torch.ones(5)))
    silence(model, PrunableLayer("", 5, axis=-1, parameters=("w", "b")), torch.tensor([0]))
    assert model.get_parameter("w").sum(0).tolist() == [0, 3, 3, 3, 3]
    assert model.get_parameter("b").tolist() == [0, 1, 1, 1, 1]
