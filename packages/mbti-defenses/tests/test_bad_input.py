"""Input that no method's own test thinks of: one clear error or a right answer from each of the seven."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mbti_core.contracts.attack import RowKind
from mbti_core.contracts.defense import CleanSet, Defense
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.split import Split, clean_kinds
from mbti_core.engine.config import DefenseOptions, TrainConfig
from mbti_core.errors import ConfigError
from mbti_core.results.detection import detection_metrics
from mbti_core.stages.defend import DefenseResult, Scene, defend
from mbti_core.stages.train import ModelPlan
from mbti_core.testing import toy
from mbti_defenses.detect.ac import AC
from mbti_defenses.detect.strip import STRIP
from mbti_defenses.inspect.nc import NC
from mbti_defenses.repair.abl import ABL
from mbti_defenses.repair.clp import CLP
from mbti_defenses.repair.fp import FP
from mbti_defenses.repair.ft import FT

SEVEN: dict[str, Defense] = {
    "ft": FT(epochs=1),
    "fp": FP(epochs=1),
    "clp": CLP(u=1.0),
    "abl": ABL(early=1, epochs=1, unlearn=1),
    "strip": STRIP(overlays=8),
    "ac": AC(),
    "nc": NC(steps=3, batches=1, epochs=1),
}
EACH = pytest.mark.parametrize("name", SEVEN)
Model = Callable[[ModelInfo], nn.Module]


class Stage:
    """The defend stage around a model with a backdoor, on 96 suspects and a reserve of 48 rows."""

    def __init__(self, bench: Any, victim: Any, blobs: Any) -> None:
        self.bench, self.weights = bench, victim.subject.model.state_dict()
        self.modality, self.device = victim.subject.modality, torch.device("cpu")
        self.suspects = self.split(victim.suspects, slice(96), victim.poisoned)
        self.reserve = self.split(blobs(48, "reserve"), slice(48))

    def split(self, data: Any, rows: slice, poisoned: Tensor | None = None) -> Split[Any]:
        y = data.y[rows]
        kind = clean_kinds(len(y))
        if poisoned is not None:
            kind[poisoned[rows]] = int(RowKind.POISONED)
        return Split(ArrayColumn(data.x.data[rows].numpy()), y, y, kind, data.index[rows], self.modality)

    def __call__(
        self, name: str, factory: Model = toy.conv, classes: int = 4, weights: Any = None, **options: Any
    ) -> DefenseResult:
        info = ModelInfo("toy/conv", "toy", toy.SPEC, classes)
        plan = ModelPlan(factory, {}, info, self.modality, self.bench.registry.adapters, self.device, "fp32")
        weights = weights or (self.weights if classes == 4 else factory(info).state_dict())
        model = plan.trained(plan.load(weights), {})
        scene = Scene(plan, model, self.suspects, self.reserve, {}, TrainConfig(epochs=1))
        return defend(scene, name, SEVEN[name], DefenseOptions(**{"budget": 0.2, **options}), 0)


@pytest.fixture
def stage(bench: Any, conv_victim: Any, blobs: Any) -> Stage:
    return Stage(bench, conv_victim, blobs)


def whole(name: str, found: DefenseResult) -> None:
    """All that the method yields is there, and finite."""
    yields = SEVEN[name].yields
    assert "unsupported" not in found.facts
    assert bool(found.model) == ("model" in yields)
    assert all(bool(t.isfinite().all()) for t in found.model.values())
    assert all(math.isfinite(v) for v in found.facts["notes"].values())
    if "scores" in yields:
        assert len(found.arrays["scores"]) == len(found.arrays["flags"]) == 96
    if "verdict" in yields:
        assert math.isfinite(found.facts["verdict"]["score"])


@EACH
def test_a_class_that_the_clean_budget_lacks(stage: Stage, name: str) -> None:
    stage.reserve = stage.reserve.subset(torch.nonzero(stage.reserve.truth != 3).flatten())
    whole(name, stage(name))


@EACH
def test_two_classes(stage: Stage, name: str) -> None:
    for part in ("suspects", "reserve"):
        split = getattr(stage, part)
        setattr(stage, part, split.subset(torch.nonzero(split.labels < 2).flatten()))
    n = len(stage.suspects)
    found = stage(name, classes=2)
    assert not found.facts.get("unsupported")
    assert bool(found.model) == ("model" in SEVEN[name].yields)
    if name == "nc":  # the ratio of two sizes to each other, not a distance from their median
        first, second = found.facts["verdict"]["per_class"]
        assert first * second == pytest.approx(1, rel=1e-6)
    assert all(len(found.arrays[k]) == n for k in found.arrays)


@EACH
def test_rows_of_one_class_only(stage: Stage, name: str) -> None:
    for part in ("suspects", "reserve"):
        split = getattr(stage, part)
        zeros = torch.zeros_like(split.labels)
        setattr(stage, part, Split(split.column, zeros, zeros, split.kind, split.index, split.modality))
    if name == "nc":
        with pytest.raises(ConfigError, match="NC needs clean samples of at least 2 classes, got 19 of class 0 alone"):
            stage(name)
    else:
        whole(name, stage(name))


@EACH
def test_nothing_is_poisoned(stage: Stage, name: str) -> None:
    stage.suspects.kind.fill_(int(RowKind.CLEAN))
    found = stage(name)
    whole(name, found)
    if "scores" in SEVEN[name].yields:
        said = detection_metrics(found.arrays["scores"], found.arrays["flags"], stage.suspects.kind)
        assert (said["n_poisoned_scored"], said["auroc"], said["recall"], said["f1"]) == (0, None, 0, 0)
        assert said["fpr"] == pytest.approx(float(found.arrays["flags"].double().mean()))


@EACH
def test_weights_in_half_precision_are_what_they_round_to(stage: Stage, name: str) -> None:
    def half(info: ModelInfo) -> nn.Module:
        return toy.conv(info).half()

    rounded = {k: t.half() if t.is_floating_point() else t for k, t in stage.weights.items()}
    widened = {k: t.float() if t.is_floating_point() else t for k, t in rounded.items()}
    one, other = stage(name, half, weights=rounded), stage(name, weights=widened)
    whole(name, one)
    if name == "abl":
        return  # it trains a model of its own, which starts from numbers of 16 bits
    assert one.facts["notes"] == other.facts["notes"]
    for kind in ("arrays", "model"):
        a, b = getattr(one, kind), getattr(other, kind)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[k], b[k]) for k in a)


def frozen(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).requires_grad_(False)


@pytest.mark.parametrize("name", ["ft", "fp", "nc"])
def test_a_frozen_model_is_trained_all_the_same_and_stays_frozen(
    bench: Any, conv_victim: Any, clean: CleanSet, name: str
) -> None:
    subject = bench.subject(frozen(conv_victim.subject.model))
    view, ctx = bench.view(subject, clean=clean), bench.context(subject)
    if name == "nc":
        space = ctx.adapters.trigger_space(subject.model, ctx.info, toy.SPEC)
        model = NC(epochs=1, share=0.5).unlearned(subject, [space.initial(ctx.draws)], clean.fit, ctx)
    else:
        model = SEVEN[name].defend(view, ctx).model
    old, new = dict(subject.model.named_parameters()), dict(model.named_parameters())
    assert all(not torch.equal(old[k], new[k]) for k in old)
    assert not any(p.requires_grad for p in old.values())


def test_a_frozen_factory_is_trained_by_abl(stage: Stage) -> None:
    found = stage("abl", lambda info: frozen(toy.conv(info)))
    same = stage("abl")
    assert all(torch.equal(found.model[k], same.model[k]) for k in same.model)


@pytest.mark.parametrize("name", ["ft", "fp", "nc"])
def test_what_is_frozen_in_part_stays_as_it_was(bench: Any, conv_victim: Any, clean: CleanSet, name: str) -> None:
    model = copy.deepcopy(conv_victim.subject.model)
    model[0].requires_grad_(False)
    subject = bench.subject(model)
    view, ctx = bench.view(subject, clean=clean), bench.context(subject)
    if name == "nc":
        space = ctx.adapters.trigger_space(model, ctx.info, toy.SPEC)
        tuned = NC(epochs=1).unlearned(subject, [space.initial(ctx.draws)], clean.fit, ctx)
    else:
        tuned = SEVEN[name].defend(view, ctx).model
    assert torch.equal(tuned[0].weight, model[0].weight)
    assert not torch.equal(tuned[-1].weight, model[-1].weight)
    assert [p.requires_grad for p in model.parameters()][:3] == [False, False, True]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no second device")
@EACH
def test_a_model_on_another_device(stage: Stage, name: str) -> None:
    stage.device = torch.device("cuda")
    whole(name, stage(name, lambda info: toy.conv(info).cpu()))


@pytest.mark.parametrize(("name", "purpose"), [("strip", "calibrate on"), ("fp", "measure the accuracy on")])
def test_a_budget_that_leaves_nothing_to_calibrate_on(stage: Stage, name: str, purpose: str) -> None:
    with pytest.raises(ConfigError, match=f"needs at least 1 clean sample to {purpose}, got 0") as refused:
        stage(name, budget=0.5)
    assert refused.value.hint.startswith("Lower the defense's 'budget', or raise 'dataset.reserve'")
