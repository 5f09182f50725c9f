from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mbti_core.contracts.defense import CleanSet
from mbti_core.contracts.model import PrunableLayer
from mbti_core.data.rng import scoped_globals
from mbti_core.errors import ConfigError, NotSupportedError
from mbti_core.training.pruning import silence
from mbti_defenses.activity import accuracy, activations, last_layers, split_units
from mbti_defenses.repair.fp import FP

DEAD = list(range(20, 30))


@pytest.fixture
def with_dead(bench, blobs):
    """A trained net of one hidden layer whose last ten units are dead."""
    with scoped_globals(0):
        model = nn.Sequential(nn.Flatten(), nn.Linear(144, 30), nn.ReLU(), nn.Linear(30, 4))
    data = blobs(400, "train")
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data.x.data.float() / 255), data.y).backward()
        optimizer.step()
    with torch.no_grad():
        for parameter in (model[1].weight, model[1].bias):
            parameter[DEAD] = 0
    return bench.subject(model.eval())


def test_dead_units_go_first_and_cost_nothing(bench, with_dead, clean):
    layers = [PrunableLayer("1", 30)]
    found = activations(with_dead, layers, clean.fit)
    assert not found[DEAD].any()
    idle = int((found == 0).sum())
    assert set(DEAD) <= set(found.argsort(stable=True)[:idle].tolist())
    out = FP(max_drop=0.0, lr=1e-30, epochs=1).defend(bench.view(with_dead, clean=clean), bench.context(with_dead))
    assert out.notes["removed"] >= idle >= 10
    tuned = with_dead.with_model(out.model)
    assert accuracy(tuned, clean.calibrate) >= accuracy(with_dead, clean.calibrate)


def test_activations_are_the_mean_positive_part(with_dead, clean):
    x = clean.fit.x.data.float() / 255
    by_hand = with_dead.model[1](x.flatten(1)).relu().double().mean(0)
    found = activations(with_dead, [PrunableLayer("1", 30)], clean.fit)
    torch.testing.assert_close(found, by_hand, rtol=1e-5, atol=1e-7)


def test_removed_units_stay_zero_through_fine_tuning(bench, conv_victim, clean):
    subject = conv_victim.subject
    before = {k: v.clone() for k, v in subject.model.state_dict().items()}
    out = FP(max_drop=0.5, lr=0.1, epochs=3).defend(bench.view(subject, clean=clean), bench.context(subject))
    assert 0 < out.notes["removed"] < out.notes["units"]
    layer = bench.registry.adapters.prunable_layers(subject.model, subject.info)[-1]
    new = out.model.get_submodule(layer.module)
    gone = (new.weight.flatten(1) == 0).all(1)
    assert int(gone.sum()) == out.notes["removed"]
    if layer.norm:
        norm = out.model.get_submodule(layer.norm)
        assert not norm.weight[gone].any()
        assert not norm.bias[gone].any()
    assert not torch.equal(new.weight[~gone], before[f"{layer.module}.weight"][~gone])
    assert all(torch.equal(v, before[k]) for k, v in subject.model.state_dict().items())


def test_the_step_that_loses_too_much_is_taken_back(with_dead, clean):
    order = torch.arange(29, -1, -1)  # dead ones first
    layers = [PrunableLayer("1", 30)]
    before = accuracy(with_dead, clean.calibrate)

    def loss(count: int) -> float:
        pruned = with_dead.with_model(copy.deepcopy(with_dead.model))
        silence(pruned.model, layers[0], order[:count])
        return 1 - accuracy(pruned, clean.calibrate) / before

    losses = [loss(3 * steps) for steps in range(10)]
    for limit in (0.05, 0.3, 0.99):
        removed, tried = FP(max_drop=limit, step=0.1).prune(with_dead, layers, order, clean.calibrate)
        assert removed % 3 == 0
        assert losses[removed // 3] <= limit < max(losses[removed // 3 + 1 :], default=1.0)
        assert removed >= 9
        assert tried <= 4


def test_both_directions_of_a_recurrent_layer_are_pruned(bench, clean):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(12, 5, num_layers=2, bidirectional=True, batch_first=True)
            self.head = nn.Linear(10, 4)

        def forward(self, x):
            return self.head(self.rnn(x.flatten(0, 1) if x.dim() == 4 else x)[0].mean(1))

    with scoped_globals(0):
        subject = bench.subject(Net())
    layers = bench.registry.adapters.prunable_layers(subject.model, subject.info)
    assert len(layers) == 4
    last = last_layers(subject, layers, clean.fit)
    assert [layer.parameters[0] for layer in last] == ["weight_ih_l1", "weight_ih_l1_reverse"]
    found = activations(subject, last, clean.fit)
    x = clean.fit.x.data.float().flatten(0, 1) / 255
    torch.testing.assert_close(found, subject.model.rnn(x)[0].abs().double().mean((0, 1)), rtol=1e-4, atol=1e-6)
    parts = split_units(last, torch.tensor([0, 4, 5, 9]))
    assert [units.tolist() for _, units in parts] == [[0, 4], [0, 4]]


def test_heads_are_judged_by_what_their_reader_gets(bench, clean):
    with scoped_globals(0):
        subject = bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)))
    layer = PrunableLayer("1", 12, axis=1, parameters=("weight",), block=12)
    found = activations(subject, [layer], clean.fit)
    x = clean.fit.x.data.double().flatten(1) / 255
    torch.testing.assert_close(found, x.abs().unflatten(1, (12, 12)).mean((0, 2)), rtol=1e-5, atol=1e-7)


def test_nothing_to_measure_on_and_nothing_to_prune(bench, victim, blobs, clean):
    bare = CleanSet(blobs(4, "some"), blobs(0, "none"))
    with pytest.raises(ConfigError, match="FP needs at least 1 clean sample to measure the accuracy on, got 0"):
        FP().defend(bench.view(victim.subject, clean=bare), bench.context(victim.subject))
    subject = bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)))
    with pytest.raises(NotSupportedError, match="FP needs layers whose units can be removed"):
        FP().defend(bench.view(subject, clean=clean), bench.context(subject))
