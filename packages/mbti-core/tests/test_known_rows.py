"""Attacks whose ``fit`` depends on the rows that will be poisoned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mbti_core import run
from mbti_core.contracts.attack import Attack, CleanLabelAttack, FitContext, PoisonContext
from mbti_core.contracts.component import Component
from mbti_core.data.fileref import FileRef
from mbti_core.data.split import Split
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.resolve import resolve
from mbti_core.errors import DataUnavailableError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import toy, toy_plugin
from mbti_core.testing.bench import Bench, NotApplicableError
from mbti_core.testing.planning import write_golden

FOUND: list[tuple[list[int], list[int]]] = []


class Marks(CleanLabelAttack[Tensor]):
    """Learn the ids of the rows to poison; compare them with those that come."""

    def fit(self, split: Split[Tensor], ctx: FitContext) -> dict[str, Tensor]:
        if ctx.chosen is None:
            return {}
        return {"rows": split.index[ctx.chosen.poison]}

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        if ctx.role == "train":
            FOUND.append((ctx.index.tolist(), ctx.state.get("rows", ctx.index[:0]).tolist()))
        return toy.stamp(x, 2, 255)


class Reads(Attack[Tensor]):
    """A trigger from a file."""

    file: FileRef | None = None

    def fit(self, split: Split[Tensor], ctx: FitContext) -> dict[str, Tensor]:
        raise DataUnavailableError("attack.file names no file.", "Name one.")

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return x


class Plugin:
    """The attacks above."""

    @hookimpl
    def mbti_register(self) -> list[Component]:
        knows = frozenset({"clean_label", "knows_rows"})
        return [
            Component("attack", "toy/knows", f"{__name__}:Marks", "Marks", traits=knows),
            Component("attack", "toy/ignores", f"{__name__}:Marks", "Marks", traits=frozenset({"clean_label"})),
            Component("attack", "toy/reads", f"{__name__}:Reads", "Reads"),
        ]


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[])
    found.register(toy_plugin, "toy")
    found.register(Plugin(), "more")
    return found


def spec(name: str, ratio: float) -> dict[str, Any]:
    attack = {"name": name, "ratio": ratio}
    return {"modality": "toy", "dataset": "blobs", "attack": attack, "model": "mlp", "train": {"epochs": 1}}


@pytest.mark.learn
def test_fit_knows_the_rows_that_are_poisoned(registry: Registry, tmp_path: Path) -> None:
    FOUND.clear()
    results = run(spec("knows", 0.1), store=tmp_path, registry=registry)
    assert not results.failures
    assert sum(len(poisoned) for poisoned, _ in FOUND) > 0
    assert {i for poisoned, _ in FOUND for i in poisoned} == set(FOUND[0][1])


@pytest.mark.parametrize(("name", "fits"), [("knows", 2), ("ignores", 1)])
def test_the_ratio_is_in_the_key_of_such_a_fit_alone(name: str, fits: int, registry: Registry, tmp_path: Path) -> None:
    refs: set[str] = set()
    for ratio in (0.05, 0.1):
        plan = make_plan(resolve(spec(name, ratio), registry), registry, RunOptions(tmp_path, tmp_path, device="cpu"))
        refs |= {ref for ref, node in plan.nodes.items() if node.stage == "fit"}
    assert len(refs) == fits


def test_the_bench_knows_the_rows_as_well(registry: Registry) -> None:
    bench = Bench(registry, "toy")
    known = registry.find("attack", "toy/knows")
    made = bench.poisoned(known)
    assert torch.equal(made.index[made.kind == 1], bench.fitted(known, Marks())["rows"])
    with pytest.raises(NotApplicableError, match=r"attack\.file"):
        bench.fitted(registry.find("attack", "toy/reads"), Reads())


def test_golden_numbers_leave_out_what_needs_files(registry: Registry, tmp_path: Path) -> None:
    assert write_golden("more", tmp_path / "golden.json", registry=registry) == 2
    assert "toy/reads" not in (tmp_path / "golden.json").read_text()
