"""Retraining on the rows that a defense keeps: on exactly those, as the victim was trained, and marked as such."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from mbti_core.api import run
from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.split import Split, clean_kinds
from mbti_core.engine.config import DefenseOptions, TrainConfig
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.problems import SpecError
from mbti_core.engine.resolve import resolve
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import Registry
from mbti_core.results.table import ResultTable
from mbti_core.stages import defend as stage
from mbti_core.stages.defend import DefenseResult, Scene, defend
from mbti_core.stages.train import ModelPlan, train
from mbti_core.testing import toy, toy_plugin

INFO = ModelInfo("toy/mlp", "toy", toy.SPEC, 4)
N = 40
ODD = torch.arange(N) % 3 == 0
CONFIG = TrainConfig(epochs=2, batch_size=8, lr=0.05)


class Keeper(Defense):
    """Keeps what a test says; costly, so that without retraining it sees a part of the rows."""

    needs: ClassVar[frozenset[Need]] = frozenset({"suspects"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"scores", "keep"})
    costly: ClassVar[bool] = True
    keep: Any = None

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        del ctx
        assert view.suspects is not None
        n = len(view.suspects.y)
        return DefenseOutcome(scores=torch.zeros(n), threshold=1.0, keep=None if self.keep is None else self.keep[:n])


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[], blocked=frozenset())
    found.register(toy_plugin, "toy")
    return found


@pytest.fixture
def scene(registry: Registry) -> Scene:
    x = torch.randint(0, 255, (N, 1, 12, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    y = torch.arange(N) % 4
    split = Split(ArrayColumn(x.numpy()), y, y, clean_kinds(N), 100 + torch.arange(N), toy.modality())
    plan = ModelPlan(toy.mlp, {}, INFO, toy.modality(), registry.adapters, torch.device("cpu"), "fp32")
    return Scene(plan, plan.trained(plan.fresh(0), {}), split, split, {}, CONFIG)


def kept(scene: Scene, keep: Any, *, retrain: bool = True, seed: int = 0) -> DefenseResult:
    options = DefenseOptions(max_inputs=10, retrain=retrain)
    return defend(scene, "toy/keeper", Keeper.model_construct(keep=keep), options, seed)


def test_it_is_trained_on_exactly_the_kept_rows_as_the_victim_was(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def spy(plan: Any, split: Any, config: Any, *rest: Any) -> Any:
        seen.append((split, config, rest))
        return train(plan, split, config, *rest)

    monkeypatch.setattr(stage, "train", spy)
    found = kept(scene, ODD)
    ((split, config, (seed, assault, folder, _)),) = seen
    assert split.index.tolist() == [100 + i for i in range(0, N, 3)]
    assert torch.equal(split.labels, scene.suspects.labels[ODD])
    assert (config, assault, folder) == (CONFIG, None, None)
    again = train(scene.plan, scene.suspects.subset(torch.arange(0, N, 3)), CONFIG, seed, None, None, print)
    assert found.model.keys() == again.weights.keys()
    assert all(torch.equal(found.model[k], again.weights[k]) for k in found.model)


def test_what_is_not_kept_has_no_part_in_it(scene: Scene) -> None:
    """Other samples and labels in the rows that are left out change no bit of the model."""
    before = kept(scene, ODD).model
    array = scene.suspects.column.array  # type: ignore[attr-defined]  # an ArrayColumn
    array[~ODD.numpy()] = 255 - array[~ODD.numpy()]
    scene.suspects.labels[~ODD] = 0
    after = kept(scene, ODD).model
    assert all(torch.equal(before[k], after[k]) for k in before)
    array[0] = 255 - array[0]
    touched = kept(scene, ODD).model
    assert not all(torch.equal(before[k], touched[k]) for k in before)


def test_every_row_is_scored_then(scene: Scene) -> None:
    assert len(kept(scene, ODD).arrays["scores"]) == N
    assert len(kept(scene, ODD, retrain=False).arrays["scores"]) == 10
    assert not kept(scene, ODD, retrain=False).model


def test_the_seed_of_the_defense_decides_where_it_starts(scene: Scene) -> None:
    one, same, other = (kept(scene, ODD, seed=s).model["1.weight"] for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_nothing_kept_is_a_recorded_answer(scene: Scene) -> None:
    found = kept(scene, torch.zeros(N, dtype=torch.bool))
    assert found.facts["unsupported"] == "toy/keeper keeps none of 40 rows: there is nothing to train on."


def test_without_rows_or_a_training_it_is_a_clear_error(scene: Scene) -> None:
    with pytest.raises(ConfigError, match="toy/keeper keeps no rows to train on"):
        kept(scene, None)
    object.__setattr__(scene, "training", None)
    with pytest.raises(ConfigError, match="toy/keeper: nobody knows how the model under suspicion was trained"):
        kept(scene, ODD)


SPEC: dict[str, Any] = {
    "modality": "toy",
    "dataset": {"name": "blobs"},
    "attack": {"name": "stamp"},
    "model": "mlp",
    "train": {"epochs": 4, "lr": 0.05},
    "defenses": ["outlier", {"name": "outlier", "retrain": True}],
}


def test_a_spec_that_cannot_be_is_refused_with_what_could(registry: Registry, tmp_path: Path) -> None:
    spec = SPEC | {"defenses": [{"name": "retune", "retrain": True}]}
    with pytest.raises(SpecError) as refused:
        resolve(spec, registry)
    (problem,) = refused.value.problems
    assert problem.path == ("defenses", 0, "retrain")
    assert problem.text == "expected a defense that keeps some rows (outlier), got retune."
    (tmp_path / "w.pt").touch()
    weights = {"name": "mlp", "weights": str(tmp_path / "w.pt")}
    with pytest.raises(SpecError, match=r"retrain: expected a victim that is trained in this run"):
        resolve(SPEC | {"model": weights}, registry)


def test_keys_of_what_is_not_retrained_are_what_they_were(registry: Registry, tmp_path: Path) -> None:
    def defended(defense: Any) -> list[Any]:
        spec = copy.deepcopy(SPEC) | {"defenses": [defense]}
        plan = make_plan(resolve(spec, registry), registry, RunOptions(tmp_path, tmp_path, device="cpu"))
        return [node.payload["options"] for node in plan.nodes.values() if node.stage == "defend"]

    assert defended("outlier") == [{"budget": 0.05, "max_inputs": 2000}] * 2
    assert defended({"name": "outlier", "retrain": True}) == [{"budget": 0.05, "max_inputs": 2000, "retrain": True}] * 2


@pytest.mark.learn
def test_a_row_has_accuracy_and_asr_after_retraining_and_says_so(registry: Registry, tmp_path: Path) -> None:
    results = run(SPEC, store=tmp_path, registry=registry, device="cpu", threads=1, report=False)
    assert not results.failures
    none, plain, anew = results.rows
    assert none["asr"] == plain["asr"] > 0.9
    assert anew["asr"] < 0.5
    assert anew["clean_accuracy"] > 0.9
    assert anew["auroc"] == plain["auroc"]
    assert (anew["der"], plain.get("der")) == (pytest.approx((none["asr"] - anew["asr"] + 1) / 2, abs=0.05), None)
    assert [row["retrained"] for row in results.rows] == [False, False, True]
    tables = {table.title: table for table in ResultTable([dict(row) for row in results.rows]).panels.tables}
    assert [mark for line in tables["Models"].lines for mark, _ in line.remarks] == ["retrained"]
