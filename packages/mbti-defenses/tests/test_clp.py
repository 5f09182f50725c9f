from __future__ import annotations

import pytest
import torch
from torch import nn

from mbti_core.contracts.model import PrunableLayer
from mbti_core.data.rng import scoped_globals
from mbti_core.errors import NotSupportedError
from mbti_defenses.repair.clp import CLP, amplification, largest_singular_value


def conv_and_norm(channels: int, seed: int = 0, inputs: int = 64) -> tuple[nn.Sequential, PrunableLayer]:
    with scoped_globals(seed):
        model = nn.Sequential(nn.Conv2d(inputs, channels, 3), nn.BatchNorm2d(channels)).eval()
    return model, PrunableLayer("0", channels, norm="1")


def removed(model: nn.Module, layer: PrunableLayer) -> list[int]:
    units: list[int] = CLP().outliers(amplification(model, layer), layer).tolist()
    return units


@pytest.mark.parametrize("channels", [11, 16, 64, 256, 512])
@pytest.mark.parametrize("seed", range(4))
def test_the_channel_scaled_by_ten_alone_stands_out(channels, seed):
    model, layer = conv_and_norm(channels, seed)
    with torch.no_grad():
        model[0].weight[3] *= 10
    assert removed(model, layer) == [3]


def test_ten_channels_are_too_few_for_three_deviations():
    for channels in range(2, 11):
        model, layer = conv_and_norm(channels)
        with torch.no_grad():
            model[0].weight[channels - 1] *= 1000
        assert removed(model, layer) == []


def test_a_layer_s_scale_decides_nothing():
    model, layer = conv_and_norm(64)
    with torch.no_grad():
        model[0].weight[5] *= 10
        before = removed(model, layer)
        model[0].weight *= 77
    assert removed(model, layer) == before == [5]


def test_the_norm_counts():
    model, layer = conv_and_norm(64)
    with torch.no_grad():
        model[1].running_var[7] = 1e-3
        model[1].weight[9] = -40.0
    assert removed(model, layer) == [7, 9]
    with torch.no_grad():
        model[0].weight[9] = 0.0
    assert removed(model, layer) == [7]


@pytest.mark.parametrize("shape", [(5, 1, 7), (5, 7, 1), (5, 1, 4, 3, 3), (5, 1, 4, 9), (5, 6, 2)])
def test_singular_values_are_those_of_the_matrix_of_inputs_and_kernel(shape):
    part = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = largest_singular_value(part)
    for unit, value in zip(part, found.tolist(), strict=True):
        matrix = unit if unit.dim() == 2 else unit.reshape(unit.shape[0] * unit.shape[1], -1)
        assert torch.linalg.svdvals(matrix)[0] == pytest.approx(value, rel=1e-9)


def test_without_a_norm_a_share_of_the_layer_is_the_most_that_goes():
    layer = PrunableLayer("0", 300)
    values = torch.ones(300, dtype=torch.float64)
    values[[3, 40, 60, 80]] = torch.tensor([50.0, 60.0, 40.0, 70.0], dtype=torch.float64)
    assert CLP().outliers(values, layer).tolist() == [3, 40, 80]
    assert CLP(max_share=0.001).outliers(values, layer).tolist() == [80]
    assert CLP().outliers(values, PrunableLayer("0", 300, norm="1")).tolist() == [3, 40, 60, 80]


@pytest.fixture
def inflated(bench, conv_victim):
    """The toy convolutions made wider, one channel inflated."""
    with scoped_globals(0):
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)
        ).eval()
    with torch.no_grad():
        model[0].weight[2] *= 30
        model[1].bias[2] = 1.0
    return bench.subject(model)


def test_what_is_removed_gives_nothing_and_the_rest_stays(bench, inflated):
    before = {k: v.clone() for k, v in inflated.model.state_dict().items()}
    out = CLP().defend(bench.view(inflated), bench.context(inflated))
    assert out.notes["removed"] == out.notes["removed/0"] == 1
    x = torch.randn(2, 1, 12, 12)
    after = out.model[1](out.model[0](x))
    assert not after[:, 2].any()
    others = [0, 1, *range(3, 16)]
    assert torch.equal(after[:, others], inflated.model[1](inflated.model[0](x))[:, others])
    assert all(torch.equal(v, before[k]) for k, v in inflated.model.state_dict().items())


def test_twice_gives_the_same_bits(bench, inflated):
    one, two = (CLP().defend(bench.view(inflated), bench.context(inflated)).model.state_dict() for _ in range(2))
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_a_model_without_layers_to_prune_is_no_case_for_it(bench):
    subject = bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)))
    with pytest.raises(NotSupportedError, match="CLP needs layers whose units can be removed, and toy/mlp has none"):
        CLP().defend(bench.view(subject), bench.context(subject))
