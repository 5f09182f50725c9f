from __future__ import annotations

import pytest
import torch

from mbti_core.data.rng import Draws
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy, toy_plugin
from mbti_core.testing.bench import Bench
from mbti_core.testing.checks.case import Case
from mbti_core.testing.checks.defended import run_of


@pytest.fixture(scope="module")
def bench() -> Bench:
    registry = Registry(points=[], blocked=frozenset())
    registry.register(toy_plugin, "toy")
    return Bench(registry, "toy")


def test_blobs_are_balanced_and_read_row_by_row() -> None:
    rows = torch.arange(40)
    whole = toy.blobs(rows, Draws(0))
    assert whole.dtype == torch.uint8
    assert whole.shape == (40, *toy.SPEC.shape)
    assert torch.equal(toy.blobs(rows[7:9], Draws(0)), whole[7:9])
    quarters = whole.double().unfold(2, 6, 6).unfold(3, 6, 6).mean((1, 4, 5)).flatten(1)  # (40, 4)
    assert torch.equal(quarters.argmax(1), rows % 4)


@pytest.mark.learn
@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_models_learn_the_blobs(name: str, bench: Bench) -> None:
    own = Bench(bench.registry, "toy")
    own.smallest = own.plan(bench.registry.find("model", name, "toy"))
    assert own.accuracy(own.benign(), own.data.parts["test"]) >= 0.95


@pytest.mark.learn
def test_each_defense_does_its_work(bench: Bench) -> None:
    def outcome(name: str):  # type: ignore[no-untyped-def]  # an outcome
        registered = bench.registry.find("defense", name, "toy")
        return run_of(Case(registered, bench, bench.settings(registered))).outcome

    verdict = outcome("probe").verdict
    assert (verdict.backdoored, verdict.targets) == (True, (0,))
    stamped = toy.stamp(toy.blobs(torch.arange(8), Draws(0)), 2, 255)
    assert int(outcome("blank").filter(stamped)[..., -2:, -2:].max()) == 40
    assert outcome("retune").model is not None
    assert 0.5 < float(outcome("outlier").keep.double().mean()) < 1.0
