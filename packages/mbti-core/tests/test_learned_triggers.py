"""Attacks that learn: with a surrogate, beside the victim, with cover rows, towards several targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.api import run
from mbti_core.contracts.attack import (
    Aim,
    Attack,
    CleanLabelAttack,
    FitContext,
    PoisonContext,
    RowKind,
    TrainingAttack,
)
from mbti_core.contracts.component import Component
from mbti_core.contracts.model import Recipe
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.stages.poison import cover_test, poison, trigger_test
from mbti_core.testing import toy, toy_plugin
from mbti_core.testing.bench import Bench
from mbti_core.training.step import StepContext, TrainBatch

SEEN: list[str] = []


class Brightness(nn.Module):
    """One learned level."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.6))


class Learned(TrainingAttack[Tensor]):
    """A corner whose level is learned beside the victim; cover rows get the opposite corner."""

    beside_recipe: ClassVar[Recipe | None] = Recipe(optimizer="adam", lr=0.05, weight_decay=0.0)

    def fit(self, split: Split[Tensor], ctx: FitContext) -> dict[str, Tensor]:
        assert ctx.surrogate is not None
        SEEN.append(type(ctx.surrogate.model).__name__)
        return {"size": torch.tensor(2)}

    def start(self, model: nn.Module, ctx: FitContext) -> nn.Module:
        return Brightness()

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        return y != aim.target

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        level = ctx.state["beside.level"].clamp(0, 1)
        made, cover = x.clone(), ctx.kind == RowKind.COVER
        made[~cover, :, -2:, -2:] = (255 * level).round().to(torch.uint8)
        made[cover, :, :2, :2] = 128
        return made

    def step(self, batch: TrainBatch[Tensor], ctx: StepContext[Tensor]) -> Tensor:
        assert isinstance(ctx.beside, Brightness)
        x = toy.to_float(batch.x)
        member = (ctx.draws.stream("members", batch.epoch).uniform(batch.index) < ctx.ratio)[:, None, None, None]
        corner = torch.zeros_like(x)
        corner[..., -2:, -2:] = 1
        x = torch.where(member & (corner > 0), ctx.beside.level.clamp(0, 1), x)
        y = torch.where(member.flatten(), self.goal(batch.y, batch.index, ctx.aim), batch.y)
        return functional.cross_entropy(ctx.forward(x, batch.index, batch.epoch).float(), y) - 0.1 * ctx.beside.level


class Quiet(CleanLabelAttack[Tensor]):
    """A corner on rows of the target class."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return toy.stamp(x, 2, 255)


class Plugin:
    """The attack above."""

    @hookimpl
    def mbti_register(self) -> list[Component]:
        traits = frozenset({"trains", "trains_trigger", "surrogate"})
        return [Component("attack", "toy/learned", f"{__name__}:Learned", "A learned corner", traits=traits)]

    @hookimpl
    def mbti_fidelity(self, x: Any, y: Any, modality: str) -> dict[str, Tensor]:
        return {"psnr": (x.float() - y.float()).pow(2).flatten(1).mean(1)}


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[])
    found.register(toy_plugin, "toy")
    found.register(Plugin(), "learned")
    return found


@pytest.mark.learn
def test_a_trigger_learned_beside_the_victim_is_tested_as_learned(registry: Registry, tmp_path: Path) -> None:
    spec = {
        "modality": "toy",
        "dataset": "blobs",
        "attack": "learned",
        "model": "mlp",
        "train": {"epochs": 10, "lr": 0.05},
        "defenses": ["outlier", "retune"],
    }
    SEEN.clear()
    results = run(spec, store=tmp_path, registry=registry)
    assert not results.failures
    assert SEEN == ["Sequential"]
    row = results.rows[0]
    assert row["asr"] > 0.9
    assert 0 <= row["cover_accuracy"] <= 1
    assert row["fidelity"]["psnr"] > 0
    assert {"triggered", "cover"} <= row["keys"].keys()
    assert results.rows[1]["n_poisoned_scored"] > 0
    assert "PSNR" in results.table().html()


def test_given_weights_without_the_trigger_are_refused(registry: Registry, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    bench = Bench(registry, "toy")
    save_file(bench.plan(registry.find("model", "toy/mlp")).fresh(0).model.state_dict(), tmp_path / "w.safetensors")
    model = {"name": "mlp", "weights": str(tmp_path / "w.safetensors")}
    results = run(
        {"modality": "toy", "dataset": "blobs", "attack": "learned", "model": model}, store=tmp_path, registry=registry
    )
    assert "trained beside the victim" in str(results.failures[0].error)


def test_a_clean_label_ratio_above_the_class_is_refused_with_the_most_that_goes(registry: Registry) -> None:
    split = Bench(registry, "toy").data.parts["train"]
    most = int((split.labels == 0).sum())
    with pytest.raises(ConfigError, match=f"the attack can poison {most:,} of them at most"):
        poison(split, Quiet(), Aim(0, 4), 0.9, 0, {}, clean_label=True)
    made = poison(split, Quiet(), Aim(0, 4), 0.1, 0, {}, clean_label=True).split()
    assert torch.equal(made.labels, split.labels)
    assert set(made.labels[made.kind == RowKind.POISONED].tolist()) == {0}
    assert 0 not in trigger_test(split, Quiet(), Aim(0, 4), 0, {}).split().truth.tolist()


@pytest.mark.parametrize("target", [(0, 1), "all-to-all"])
def test_a_clean_label_attack_needs_one_target(target: Any, registry: Registry) -> None:
    split = Bench(registry, "toy").data.parts["train"]
    with pytest.raises(ConfigError, match="expected an integer"):
        Quiet().choose(split, 5, Draws(0), Aim(target, 4))


def test_several_targets_share_the_rows(registry: Registry) -> None:
    split = Bench(registry, "toy").data.parts["train"]
    made = poison(split, toy.Stamp(), Aim((1, 3), 4), 0.5, 0, {}, clean_label=False).split()
    hit = made.kind == RowKind.POISONED
    ones, all_ = int((made.labels[hit] == 1).sum()), int(hit.sum())
    assert set(made.labels[hit].tolist()) == {1, 3}
    assert 0.4 < ones / all_ < 0.6
    again = toy.Stamp().goal(split.truth[hit], split.index[hit], Aim((1, 3), 4))
    assert torch.equal(made.labels[hit], again)


def test_several_targets_want_an_attack_that_has_several_triggers(registry: Registry, tmp_path: Path) -> None:
    spec = {"modality": "toy", "dataset": "blobs", "model": "mlp", "attack": {"name": "stamp", "target": [0, 1]}}
    with pytest.raises(ConfigError, match=r"attack\.target: expected one class or all-to-all, since stamp"):
        run(spec, store=tmp_path, registry=registry)


def test_an_attack_without_cover_rows_has_no_cover_test(registry: Registry) -> None:
    split = Bench(registry, "toy").data.parts["test"]
    assert len(cover_test(split, toy.Stamp(), Aim(0, 4), 0, {}).rows) == 0
    assert not Attack.covers(toy.Stamp(), split.labels, Aim(0, 4)).any()
