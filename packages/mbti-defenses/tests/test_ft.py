from __future__ import annotations

import types

import pytest
import torch
from torch import nn

from mbti_core.contracts.defense import CleanSet
from mbti_core.contracts.model import ModelInfo, Recipe
from mbti_core.data.rng import scoped_globals
from mbti_core.errors import ConfigError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy, toy_plugin
from mbti_defenses.repair.ft import FT


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def test_a_vanishing_rate_changes_nothing_but_running_statistics(bench, victim, clean):
    subject = victim.subject
    out = FT(lr=1e-30, epochs=2).defend(bench.view(subject, clean=clean), bench.context(subject))
    old, new = state_of(subject.model), state_of(out.model)
    changed = {k for k in old if not torch.equal(old[k], new[k])}
    assert {k.rsplit(".", 1)[1] for k in changed} == {"running_mean", "running_var", "num_batches_tracked"}


def test_a_vanishing_rate_without_batchnorm_gives_identical_logits(bench, clean):
    with scoped_globals(0):
        subject = bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, 16), nn.ReLU(), nn.Linear(16, 4)))
    out = FT(lr=1e-30).defend(bench.view(subject, clean=clean), bench.context(subject))
    x = clean.calibrate.x.data
    assert torch.equal(subject.with_model(out.model).logits(x), subject.logits(x))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_in_the_view_stays_and_a_new_one_comes_back(bench, victim, clean, training):
    model = victim.subject.model.train(training)
    before = state_of(model)
    out = FT(epochs=2, lr=0.1).defend(bench.view(victim.subject, clean=clean), bench.context(victim.subject))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(m.training == training for m in model.modules())
    model.eval()
    assert out.model is not model
    assert not any(m.training for m in out.model.modules())
    assert not {p.data_ptr() for p in out.model.parameters()} & {p.data_ptr() for p in model.parameters()}


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(bench, victim, clean):
    subject = bench.subject(nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 4)))
    state = torch.get_rng_state()
    one, two, other = (
        state_of(FT(epochs=2).defend(bench.view(subject, clean=clean), bench.context(subject, seed)).model)
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["2.weight"], other["2.weight"])
    assert torch.equal(torch.get_rng_state(), state)


def test_epochs_and_rate_default_to_the_recipe_of_the_family(bench, victim, clean):
    known = Registry(points=[], blocked=frozenset())
    known.register(toy_plugin, "toy")
    plugin = types.ModuleType("family")
    plugin.mbti_recipe = hookimpl(lambda: Recipe(optimizer="adamw", lr=2e-5, epochs=3))
    known.register(plugin, "family")
    family = type(bench)(known)
    view = family.view(victim.subject, clean=clean)
    out = FT().defend(view, family.context(victim.subject))
    assert (out.notes["epochs"], out.notes["lr"], out.notes["rows"]) == (3, 2e-5, 100)
    mine = FT(epochs=1, lr=0.5).defend(view, family.context(victim.subject)).notes
    assert (mine["epochs"], mine["lr"]) == (1, 0.5)


def test_no_clean_samples_is_an_error(bench, victim, blobs):
    clean = CleanSet(blobs(0, "none"), blobs(3, "some"))
    with pytest.raises(ConfigError, match="FT needs at least 1 clean sample to train on, got 0"):
        FT().defend(bench.view(victim.subject, clean=clean), bench.context(victim.subject))


@pytest.mark.learn
def test_an_untrained_model_learns_the_task(bench, blobs):
    clean, test = CleanSet(blobs(200, "fit"), blobs(4, "rest")), blobs(400, "test")
    with scoped_globals(0):
        subject = bench.subject(toy.mlp(ModelInfo("toy/mlp", "toy", toy.SPEC, 4)))
    out = FT(lr=0.1).defend(bench.view(subject, clean=clean), bench.context(subject))
    tuned = subject.with_model(out.model)
    assert float((tuned.predict(test.x) == test.y).float().mean()) > 0.95


@pytest.mark.learn
def test_accuracy_is_kept(bench, victim, clean, blobs):
    test = blobs(400, "test")
    out = FT().defend(bench.view(victim.subject, clean=clean), bench.context(victim.subject))
    tuned = victim.subject.with_model(out.model)
    before = (victim.subject.predict(test.x) == test.y).float().mean()
    assert float((tuned.predict(test.x) == test.y).float().mean()) >= float(before) - 0.02
