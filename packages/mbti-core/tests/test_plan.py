"""Plans: chained keys, shared work, and what a change makes run again."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from mbti_core.engine.config import (
    AttackOptions,
    DatasetOptions,
    DefenseOptions,
    ModelOptions,
    NoiseOptions,
    TrainConfig,
)
from mbti_core.engine.graph import Plan, needed
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.problems import SpecError
from mbti_core.engine.resolve import parse_seeds, resolve
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError, MissingPluginError, UnknownComponentError
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy_plugin

SPEC: dict[str, Any] = {
    "modality": "toy",
    "dataset": {"name": "blobs"},
    "attack": {"name": "stamp"},
    "model": "mlp",
    "train": {"epochs": 2},
    "defenses": ["outlier", "retune"],
}


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[])
    found.register(toy_plugin, "toy")
    return found


def plan(registry: Registry, tmp_path: Path, **changes: Any) -> Plan:
    spec = copy.deepcopy(SPEC) | changes
    return make_plan(resolve(spec, registry), registry, RunOptions(tmp_path, tmp_path, device="cpu"))


def refs(p: Plan, stage: str) -> set[str]:
    return {ref for ref, node in p.nodes.items() if node.stage == stage}


def test_one_victim_and_one_twin_serve_every_defense(registry: Registry, tmp_path: Path) -> None:
    p = plan(registry, tmp_path)
    assert {s: len(refs(p, s)) for s in ("prepare", "fit", "poison", "train", "defend")} == {
        "prepare": 1,
        "fit": 0,
        "poison": 2,
        "train": 2,
        "defend": 4,
    }
    assert [row.about["defense"] for row in p.rows] == ["none", "outlier", "retune"]


def test_clean_rows_afterwards_train_nothing_again(registry: Registry, tmp_path: Path) -> None:
    before = plan(registry, tmp_path)
    after = plan(registry, tmp_path, train={"epochs": 2, "then": {"epochs": 1, "lr": 0.01}})
    assert refs(before, "train") < refs(after, "train")
    victim, twin = (after.nodes[ref] for ref in sorted(refs(after, "train") - refs(before, "train")))
    assert {victim.inputs["start"], twin.inputs["start"]} == refs(before, "train")
    assert {victim.inputs["data"], twin.inputs["data"]} == refs(before, "prepare")
    assert refs(before, "poison") == refs(after, "poison")


def test_changing_the_defense_retrains_nothing(registry: Registry, tmp_path: Path) -> None:
    before, after = plan(registry, tmp_path), plan(registry, tmp_path, defenses=["probe"])
    for stage in ("prepare", "poison", "train"):
        assert refs(before, stage) == refs(after, stage)


def test_changing_the_ratio_prepares_nothing_and_keeps_the_twin_and_the_test_set(
    registry: Registry, tmp_path: Path
) -> None:
    before = plan(registry, tmp_path)
    after = plan(registry, tmp_path, attack={"name": "stamp", "ratio": 0.05})
    assert refs(before, "prepare") == refs(after, "prepare")
    assert len(refs(before, "train") & refs(after, "train")) == 1
    assert len(refs(before, "poison") & refs(after, "poison")) == 1


def test_seeds_decode_once(registry: Registry, tmp_path: Path) -> None:
    p = plan(registry, tmp_path, seeds=[0, 1, 2])
    assert len(refs(p, "prepare")) == 1
    assert len(refs(p, "train")) == 6
    one_group = plan(registry, tmp_path, seeds={"defense": [0, 1]})
    assert len(refs(one_group, "train")) == 2


def test_a_grid_is_a_product(registry: Registry, tmp_path: Path) -> None:
    p = plan(registry, tmp_path, grid={"attack.ratio": [0.05, 0.1], "train.epochs": [1, 2]})
    assert len(p.rows) == 4 * 3
    assert len(refs(p, "train")) == 2 + 4


def test_a_grid_over_whole_components_says_the_settings_that_no_column_shows(
    registry: Registry, tmp_path: Path
) -> None:
    attacks = [{"name": "stamp", "size": 2}, {"name": "stamp", "size": 3, "ratio": 0.2}, "live-stamp"]
    found = plan(registry, tmp_path, attack=None, defenses=[], grid={"attack": attacks, "model": ["mlp"]})
    assert [row.about["variant"] for row in found.rows] == ["attack.size=2", "attack.size=3", None]


def test_what_a_grid_gives_need_not_stand_above_it(registry: Registry, tmp_path: Path) -> None:
    assert plan(registry, tmp_path, model=None, grid={"model": ["mlp"]}).rows
    with pytest.raises(SpecError, match="model: missing"):
        plan(registry, tmp_path, model=None)


def test_labels_and_places_are_not_keyed(registry: Registry, tmp_path: Path) -> None:
    one, other = plan(registry, tmp_path), plan(registry, tmp_path / "elsewhere", name="renamed")
    assert set(one.nodes) == set(other.nodes)


def test_every_setting_of_a_stage_is_keyed(registry: Registry, tmp_path: Path) -> None:
    """A new field must be added here, which forces the choice whether it is keyed."""
    changed: dict[tuple[str, str], dict[str, Any]] = {
        ("dataset", "train"): {"dataset": {"name": "blobs", "train": 200}},
        ("dataset", "test"): {"dataset": {"name": "blobs", "test": 100}},
        ("dataset", "reserve"): {"dataset": {"name": "blobs", "reserve": 0.2}},
        ("noise", "share"): {"noise": {"name": "fuzz", "share": 0.5}},
        ("attack", "ratio"): {"attack": {"name": "stamp", "ratio": 0.2}},
        ("attack", "target"): {"attack": {"name": "stamp", "target": 1}},
        ("defense", "budget"): {"defenses": [{"name": "outlier", "budget": 0.02}]},
        ("defense", "retrain"): {"defenses": [{"name": "outlier", "retrain": True}]},
        ("defense", "max_inputs"): {"defenses": [{"name": "outlier", "max_inputs": 9}]},
        ("defense", "per_class"): {"defenses": [{"name": "outlier", "per_class": 9}]},
    }
    values: dict[str, Any] = {
        "optimizer": "adam",
        "schedule": "linear",
        "augment": False,
        "precision": "bf16",
        "compile": True,
    }
    numbers = {"epochs": 3, "batch_size": 64, "lr": 0.5, "momentum": 0.5, "weight_decay": 0.1, "warmup": 0.1}
    numbers["label_smoothing"] = 0.1
    values["then"] = {"epochs": 1, "lr": 0.01}
    for name, value in {**values, **numbers}.items():
        changed["train", name] = {"train": {"epochs": 2, name: value}}
    options = {
        "dataset": DatasetOptions,
        "noise": NoiseOptions,
        "attack": AttackOptions,
        "defense": DefenseOptions,
        "train": TrainConfig,
        "model": ModelOptions,
    }
    fields = {(kind, name) for kind, cls in options.items() for name in cls.model_fields}
    assert set(changed) | {("model", "weights")} == fields, "model.weights is keyed by digest: test_weights.py"
    base = set(plan(registry, tmp_path).nodes)
    for where, change in changed.items():
        assert set(plan(registry, tmp_path, **change).nodes) - base, where


def test_the_folder_of_a_data_set_is_not_keyed(registry: Registry, tmp_path: Path) -> None:
    moved = plan(registry, tmp_path, dataset={"name": "blobs", "folder": "elsewhere"})
    assert set(moved.nodes) == set(plan(registry, tmp_path).nodes)


def test_all_mistakes_are_told_at_once(registry: Registry) -> None:
    spec = SPEC | {
        "attack": {"name": "stamp", "ratio": 1.5, "sise": 3},
        "train": {"epochs": 0, "lr": "fast"},
        "dataset": {"name": "blobs", "train": 0},
    }
    with pytest.raises(SpecError) as caught:
        resolve(spec, registry)
    text = str(caught.value)
    assert "attack.ratio: expected a number of at most 1" in text
    assert "attack.sise: unknown key. Did you mean size?" in text
    assert "train.epochs: expected an integer of at least 1, got 0." in text
    assert "train.lr: expected a number, got 'fast'." in text
    assert "dataset.train: expected an integer of at least 1, got 0." in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("ratio", [0, -0.1, 1.01])
def test_a_ratio_outside_its_range_is_refused(registry: Registry, ratio: float) -> None:
    with pytest.raises(SpecError, match=r"attack\.ratio: expected a number"):
        resolve(SPEC | {"attack": {"name": "stamp", "ratio": ratio}}, registry)


def test_a_target_that_does_not_exist_is_refused(registry: Registry) -> None:
    with pytest.raises(SpecError, match=r"attack\.target: expected a class of blobs, an integer from 0 to 3, got 4"):
        resolve(SPEC | {"attack": {"name": "stamp", "target": 4}}, registry)
    resolve(SPEC | {"attack": {"name": "stamp", "target": "all-to-all"}}, registry)


def test_unknown_components_have_near_names(registry: Registry) -> None:
    with pytest.raises(UnknownComponentError, match=r"Did you mean stamp\?"):
        resolve(SPEC | {"attack": "stmap"}, registry)
    with pytest.raises(MissingPluginError, match="pip install mbti-audio"):
        resolve(SPEC | {"modality": "audio"}, registry)


def test_seeds_are_read_in_three_forms() -> None:
    assert parse_seeds(3) == [3]
    assert parse_seeds("0-2,7") == [0, 1, 2, 7]
    assert parse_seeds([4, 5]) == [4, 5]
    for wrong in ("x", [], [True], "-1"):
        with pytest.raises(SpecError, match="seeds: expected"):
            parse_seeds(wrong)


def test_an_unknown_device_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device: expected auto or one of"):
        make_plan(resolve(SPEC, registry), registry, RunOptions(tmp_path, tmp_path, device="cuda:99"))


def test_everything_is_needed_in_an_empty_store(registry: Registry, tmp_path: Path) -> None:
    p = plan(registry, tmp_path)
    assert [n.ref for n in needed(p, Store(tmp_path))] == list(p.nodes)
