"""Whole runs on the toy modality: what a run leaves, what a second run does, and what failures do."""

from __future__ import annotations

import re
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mbti_core.api import run
from mbti_core.contracts.component import Component
from mbti_core.data.choose import rows_per_class
from mbti_core.data.rng import Draws
from mbti_core.engine.graph import Node
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError, DataFormatError, NotSupportedError, RunFailedError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.results.index import ResultIndex
from mbti_core.testing import toy_plugin
from mbti_core.testing.toy_defenses import Outlier

pytestmark = pytest.mark.learn
SPEC: dict[str, Any] = {
    "modality": "toy",
    "dataset": {"name": "blobs"},
    "attack": {"name": "stamp"},
    "model": "mlp",
    "train": {"epochs": 4, "lr": 0.05},
    "defenses": ["outlier", "retune", "probe", "blank"],
}


class Listener:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.failed: list[str] = []
        self.epochs = 0

    def stage_started(self, node: Node) -> None: ...

    def stage_finished(self, node: Node, seconds: float, cached: bool) -> None:
        self.finished.append(node.stage)

    def stage_failed(self, node: Node, error: BaseException) -> None:
        self.failed.append(node.stage)

    def epoch(self, node: Node, done: int, total: int) -> None:
        self.epochs += 1


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[])
    found.register(toy_plugin, "toy")
    return found


def go(registry: Registry, store: Path, listener: Listener | None = None, **changes: Any) -> Any:
    return run(SPEC | changes, store=store, registry=registry, device="cpu", threads=1, report=False, listener=listener)


def test_features_are_computed_once_for_all_defenses_of_a_model(registry: Registry, tmp_path: Path) -> None:
    heard = Listener()
    twice = [{"name": "outlier"}, {"name": "outlier", "budget": 0.1}]
    one, two = go(registry, tmp_path, heard, defenses=twice).rows[1:]
    assert heard.finished.count("defend") == 4
    assert heard.finished.count("represent") == 2  # the victim's and the benign twin's
    assert one["auroc"] > 0.9
    assert two["auroc"] > 0.9


def test_a_run_gives_one_row_per_defense_with_twin_floor_and_intervals(registry: Registry, tmp_path: Path) -> None:
    heard = Listener()
    results = go(registry, tmp_path, heard)
    assert not results.failures
    rows = {row["defense"]: row for row in results.rows}
    assert list(rows) == ["none", "outlier", "retune", "probe", "blank"]
    victim = rows["none"]
    assert victim["clean_accuracy"] >= 0.95
    assert victim["asr"] >= 0.95
    assert victim["benign_asr"] <= 0.1
    assert victim["benign_accuracy"] >= 0.95
    assert victim["asr_low"] < victim["asr"] <= victim["asr_high"]
    assert victim["asr"] + victim["robust_accuracy"] <= 1 + 1e-9
    assert victim["n_triggered"] == 150
    assert rows["outlier"]["n_scored"] == 720
    assert rows["outlier"]["auroc"] > 0.7
    assert rows["outlier"]["asr"] == victim["asr"]
    assert rows["retune"]["der"] is not None
    assert rows["retune"]["budget"] == 72
    assert rows["probe"]["verdict"] is not None
    assert rows["blank"]["asr"] < 0.2
    assert rows["blank"]["der"] > 0.9
    assert heard.epochs == 8
    before = len(heard.finished)
    again = go(registry, tmp_path, heard)
    assert len(heard.finished) == before
    assert again.rows == results.rows
    assert Store(tmp_path).verify() == []


def test_a_reversed_trigger_is_kept_and_shown_in_the_report(registry: Registry, tmp_path: Path) -> None:
    results = run(SPEC, store=tmp_path, registry=registry, device="cpu", threads=1)
    (kept,) = tmp_path.glob("defend/*/*/triggers")
    trigger = registry.modalities["toy"].open(kept).take(torch.arange(1))
    assert trigger.max() == 255
    assert float((trigger == 0).double().mean()) > 0.5
    assert results.report is not None
    page = results.report.read_text()
    assert page.count("Reversed triggers") == 2  # in the list of sections, and above its own
    assert re.search(r"rgb\(255,255,255\).*<figcaption>probe on the victim: ", page, re.DOTALL)


def test_a_seeded_run_gives_the_same_weights_twice(registry: Registry, tmp_path: Path) -> None:
    def weights(store: Path) -> list[bytes]:
        go(registry, store, defenses=[], attack="live-stamp")
        return sorted(p.read_bytes() for p in store.glob("train/*/*/weights.safetensors"))

    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_a_killed_training_goes_on_bit_for_bit(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(registry, tmp_path / "whole", defenses=[])

    class Killed(Listener):
        def epoch(self, node: Node, done: int, total: int) -> None:
            self.epochs += 1
            if self.epochs in (2, 5):
                raise KeyboardInterrupt

    heard = Killed()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            go(registry, tmp_path / "cut", heard, defenses=[])
    go(registry, tmp_path / "cut", heard, defenses=[])
    assert heard.epochs == 8, "every epoch ran once"
    names = [p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").glob("train/*/*/weights.safetensors")]
    assert len(names) == 2
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_clean_rows_afterwards_train_the_victim_and_its_twin_further(registry: Registry, tmp_path: Path) -> None:
    grid = {"train.then": [None, {"epochs": 3, "lr": 0.05}]}
    before, after = go(registry, tmp_path, defenses=[], grid=grid).rows
    assert before["asr"] > 0.9
    assert after["asr"] <= before["asr"]
    assert after["clean_accuracy"] >= before["clean_accuracy"] - 0.05
    one, other = (
        load_file(Store(tmp_path).folder("train", r["keys"]["model"]) / "weights.safetensors") for r in (before, after)
    )
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert before["keys"]["triggered"] == after["keys"]["triggered"]


def test_no_attack_is_an_attack(registry: Registry, tmp_path: Path) -> None:
    results = go(registry, tmp_path, attack="none", defenses=["outlier"])
    assert [row["attack"] for row in results.rows] == ["none", "none"]
    assert results.rows[0]["asr"] is None
    assert results.rows[1]["fpr"] is not None


def test_noise_is_laid_under_the_attack(registry: Registry, tmp_path: Path) -> None:
    noise = [{"name": "fuzz", "share": 0.25}, {"name": "mislabel", "share": 0.1}]
    (row,) = go(registry, tmp_path, noise=noise, defenses=[]).rows
    assert row["noise"] == "fuzz + mislabel"
    assert row["asr"] > 0.9


def test_somebody_elses_weights_take_the_place_of_training(registry: Registry, tmp_path: Path) -> None:
    go(registry, tmp_path / "a", defenses=[])
    (folder,) = (
        p.parent
        for p in (tmp_path / "a").glob("train/*/*/model.json")
        if "poison" in (p.parent / "manifest.json").read_text()
    )
    results = go(registry, tmp_path / "b", model={"weights": str(folder)}, defenses=["outlier"])
    assert results.rows[0]["asr"] >= 0.95
    assert results.rows[0]["benign_accuracy"] is None
    assert results.rows[0]["epochs"] is None
    whole = load_file(folder / "weights.safetensors")
    torch.save(whole, tmp_path / "w.pt")
    assert (
        go(registry, tmp_path / "b", model={"name": "mlp", "weights": str(tmp_path / "w.pt")}, defenses=[]).rows[0][
            "asr"
        ]
        >= 0.95
    )
    save_file({k: v for k, v in whole.items() if not k.endswith("weight")}, tmp_path / "less.safetensors")
    bad = go(
        registry, tmp_path / "b", model={"name": "mlp", "weights": str(tmp_path / "less.safetensors")}, defenses=[]
    )
    assert isinstance(bad.failures[0].error, DataFormatError)
    assert "do not fit toy/mlp" in str(bad.failures[0].error)


class Refuses(Outlier):
    """Works on no model at all."""

    def defend(self, view: Any, ctx: Any) -> Any:
        raise NotSupportedError("It needs BatchNorm; this model has none.")


class Breaks(Outlier):
    """Has a programming error."""

    def defend(self, view: Any, ctx: Any) -> Any:
        raise ZeroDivisionError("oh")


class Extra:
    """A plugin of this file."""

    @hookimpl
    def mbti_register(self) -> list[Component]:
        return [
            Component("defense", f"toy/{c.__name__.lower()}", f"{__name__}:{c.__name__}", "x")
            for c in (Refuses, Breaks)
        ]


@pytest.fixture
def broken(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    registry.register(Extra(), "extra")
    find = registry.find

    def found(kind: str, name: str, modality: str | None = None) -> Any:
        entry = find(kind, name, modality)
        classes = {"toy/refuses": Refuses, "toy/breaks": Breaks}
        if entry.component.id in classes:
            monkeypatch.setattr(type(entry), "load", lambda self: classes.get(self.component.id) or original(self))
        return entry

    original = type(find("defense", "toy/outlier")).load
    monkeypatch.setattr(registry, "find", found)
    return registry


def test_a_method_that_cannot_work_is_a_recorded_answer(broken: Registry, tmp_path: Path) -> None:
    results = go(broken, tmp_path, defenses=["refuses", "retune"])
    assert not results.failures
    assert [row["status"] for row in results.rows] == ["ok", "unsupported", "ok"]
    assert results.rows[1]["reason"] == "It needs BatchNorm; this model has none."


def test_a_failure_takes_along_only_what_needs_it(broken: Registry, tmp_path: Path) -> None:
    heard = Listener()
    results = go(broken, tmp_path, heard, defenses=["breaks", "retune"])
    assert [row["status"] for row in results.rows] == ["ok", "failed", "ok"]
    assert results.rows[1]["reason"] == "oh"
    assert all(isinstance(f.error, ZeroDivisionError) for f in results.failures)
    assert Store(tmp_path).parts() == []


def test_a_budget_above_the_reserve_says_the_most(registry: Registry, tmp_path: Path) -> None:
    results = go(registry, tmp_path, defenses=[{"name": "retune", "budget": 0.5}])
    assert isinstance(results.failures[0].error, ConfigError)
    assert "expected at most 0.111 (the reserve holds 80 rows" in str(results.failures[0].error)


def test_a_budget_may_be_so_many_of_each_class(registry: Registry, tmp_path: Path) -> None:
    few = [{"name": "retune", "per_class": 3}]
    assert next(row for row in go(registry, tmp_path, defenses=few).rows if row["defense"] == "retune")["budget"] == 24
    many = go(registry, tmp_path, defenses=[{"name": "retune", "per_class": 50}])
    assert "defenses.per_class: expected at most 20 (so many rows of class" in str(many.failures[0].error)


def test_rows_of_each_class_are_drawn_by_key() -> None:
    y, index = torch.tensor([2] * 7 + [0] * 2 + [1] * 5), torch.arange(14)
    rows = rows_per_class(y, index, 3, Draws(0))
    assert torch.bincount(y[rows]).tolist() == [2, 3, 3]
    assert torch.equal(rows, rows.sort().values)
    flipped = rows_per_class(y.flip(0), index.flip(0), 3, Draws(0))
    assert torch.equal((13 - flipped).sort().values, rows)
    assert len(rows_per_class(y[:0], index[:0], 3, Draws(0))) == 0


def test_a_ratio_of_no_row_is_refused_before_anything_is_trained(registry: Registry, tmp_path: Path) -> None:
    heard = Listener()
    results = go(registry, tmp_path, heard, attack={"name": "stamp", "ratio": 0.0001})
    assert "attack.ratio: 0.0001 of 720 training rows is no row" in str(results.failures[0].error)
    assert (heard.finished, heard.failed) == (["prepare"], ["poison"])


def test_force_runs_a_stage_and_what_follows_again(registry: Registry, tmp_path: Path) -> None:
    from mbti_core.api import run_planned
    from mbti_core.engine.plan import RunOptions, make_plan
    from mbti_core.engine.resolve import resolve

    go(registry, tmp_path, defenses=["retune"])
    options = RunOptions(tmp_path, tmp_path, device="cpu", threads=1, force=("defend",))
    heard = Listener()
    plan = make_plan(resolve(SPEC | {"defenses": ["retune"]}, registry), registry, options)
    run_planned(plan, options, registry, heard, report=False)
    assert sorted(heard.finished) == ["defend", "defend", "evaluate", "evaluate"]


def test_results_show_what_the_newest_version_made_of_an_experiment(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked = {"defenses": ["outlier"], "name": "attacked"}
    old = go(registry, tmp_path, **attacked).rows
    go(registry, tmp_path, attack=None, defenses=[], name="calm")

    @hookimpl
    def newer() -> list[Component]:
        found = offered()
        return [replace(c, version=c.version + 1) if c.id == "toy/stamp" else c for c in found]

    offered = toy_plugin.mbti_register
    monkeypatch.setattr(toy_plugin, "mbti_register", newer)
    changed = Registry(points=[])
    changed.register(toy_plugin, "toy")
    new = go(changed, tmp_path, **attacked).rows
    runs = {row["run"] for row in ResultIndex(tmp_path).rows({"name": "attacked"})}
    assert runs == {row["run"] for row in new}
    assert not runs & {row["run"] for row in old}
    assert len(ResultIndex(tmp_path).rows({"name": "calm"})) == 1


def test_processes_give_the_bits_of_serial(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", toy_plugin.EXTRA)
    one = go(registry, tmp_path / "a", defenses=["outlier"])
    two = run(
        SPEC | {"defenses": ["outlier"]},
        store=tmp_path / "b",
        registry=registry,
        device="cpu",
        threads=1,
        executor="processes",
        workers=2,
        report=False,
    )
    assert not two.failures
    drop = ("seconds",)
    for a, b in zip(one.rows, two.rows, strict=True):
        assert {k: v for k, v in a.items() if k not in drop} == {k: v for k, v in b.items() if k not in drop}


class _WorkerIsGone(Executor):
    """What a pool does after the system killed its worker."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("gone"))
        return future


def test_a_killed_worker_is_one_clear_error(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbti_core.engine.runner.BUILT_IN", {"serial": lambda workers: _WorkerIsGone()})
    with pytest.raises(RunFailedError, match=r"A worker process ended .*\n.*Run the same command again"):
        go(registry, tmp_path)


def test_one_row_after_another_is_complete(registry: Registry, tmp_path: Path) -> None:
    listener = Listener()
    go(registry, tmp_path, listener, defenses=[], grid={"attack.ratio": [0.1, 0.2, 0.3]})
    stages = [stage for stage in listener.finished if stage in ("train", "evaluate")]
    # The stamp is one trigger for all ratios, so the twin is evaluated once; then each victim follows on the last row.
    assert stages == ["train", "train", "evaluate", "evaluate", "train", "evaluate", "train", "evaluate"]
