"""What a model must answer before a defense looks at it; what the clean budget must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Verdict, Yield
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.choose import stratified_rows
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.engine.config import DefenseOptions, TrainConfig
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import Registry
from mbti_core.stages.defend import Scene, defend
from mbti_core.stages.train import ModelPlan, given, hold
from mbti_core.testing import toy, toy_plugin
from mbti_core.training.answers import check_answers
from mbti_core.training.loop import Fit, fit_model
from mbti_core.training.optimize import thaw

INFO = ModelInfo("toy/made", "toy", toy.SPEC, 4)


def rows(n: int, side: int = 12) -> Split[Any]:
    x = torch.randint(0, 255, (n, 1, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    y = torch.arange(n) % 4
    return Split(ArrayColumn(x.numpy()), y, y, clean_kinds(n), torch.arange(n), toy.modality())


def linear(outputs: int = 4, then: nn.Module | None = None) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(144, outputs), *([then] if then else []))


def plan_of(factory: Callable[[ModelInfo], nn.Module], info: ModelInfo = INFO) -> ModelPlan:
    registry = Registry(points=[], blocked=frozenset())
    registry.register(toy_plugin, "toy")
    return ModelPlan(factory, {}, info, toy.modality(), registry.adapters, torch.device("cpu"), "fp32")


class Odd(nn.Module):
    """NaN for the samples whose first pixel is dark."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x[:, 0, :1, 0] < 0.5, torch.nan, x.flatten(1)[:, :4])


@pytest.mark.parametrize("then", [None, nn.LogSoftmax(1), nn.Sigmoid(), nn.Tanh()])
def test_logits_of_any_kind_are_fine(then: nn.Module | None) -> None:
    check_answers(plan_of(lambda info: linear(then=then)).fresh(0), rows(40))


@pytest.mark.parametrize("wrong", [1e-3, 0.0])
def test_probabilities_are_refused(wrong: float) -> None:
    """Also those of 16 bits, whose sum is rounded."""

    class Rounded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.softmax(1) * (1 + wrong)

    with pytest.raises(ConfigError, match="toy/made: expected logits, got probabilities: 16 rows") as refused:
        check_answers(plan_of(lambda info: linear(then=Rounded())).fresh(0), rows(40))
    assert refused.value.hint.startswith("Leave out the softmax")


def test_nan_is_refused_and_says_how_often() -> None:
    data = rows(12)
    dark = int((torch.from_numpy(np.asarray(data.column.array))[:, 0, 0, 0] < 127.5).sum())  # type: ignore[attr-defined]  # an ArrayColumn
    assert 0 < dark < 12
    with pytest.raises(ConfigError, match=f"expected finite logits, got NaN or infinity for {dark} of 12 rows"):
        check_answers(plan_of(lambda info: Odd()).fresh(0), data)


def test_samples_of_another_shape_are_refused_in_the_words_of_the_model() -> None:
    with pytest.raises(ConfigError) as refused:
        check_answers(plan_of(lambda info: linear()).fresh(0), rows(8, side=10))
    assert "toy/made cannot take the samples of this data set, uint8 of 1 x 12 x 12: " in refused.value.message
    assert "mat1 and mat2 shapes" in refused.value.message


@pytest.mark.parametrize(("outputs", "shape"), [(5, r"\(8, 5\)"), (1, r"\(8, 1\)")])
def test_one_output_per_class(outputs: int, shape: str) -> None:
    with pytest.raises(ConfigError, match=rf"expected logits of shape \(rows, 4\), got {shape}"):
        check_answers(plan_of(lambda info: linear(outputs)).fresh(0), rows(8))


def test_one_class_is_none_to_choose() -> None:
    info = ModelInfo("toy/made", "toy", toy.SPEC, 1)
    with pytest.raises(ConfigError, match="Expected a data set of at least 2 classes, got 1"):
        check_answers(plan_of(lambda info: linear(1), info).fresh(0), rows(8))


def test_asking_leaves_the_model_and_its_mode_alone() -> None:
    subject = plan_of(toy.mlp).fresh(0)
    subject.model.train()
    before = {k: v.clone() for k, v in subject.model.state_dict().items()}
    check_answers(subject, rows(40))
    assert all(torch.equal(v, before[k]) for k, v in subject.model.state_dict().items())
    assert all(m.training for m in subject.model.modules())


def test_a_model_without_values_is_refused() -> None:
    with pytest.raises(ConfigError, match="toy/made is built on the device 'meta'"):
        plan_of(lambda info: linear().to("meta")).fresh(0)


def test_half_precision_becomes_full() -> None:
    subject = plan_of(lambda info: linear().half()).fresh(0)
    assert {p.dtype for p in subject.model.parameters()} == {torch.float32}
    check_answers(subject, rows(8))


def test_given_weights_are_asked_before_they_are_taken(tmp_path: Path) -> None:
    plan = plan_of(lambda info: linear())
    state = plan.fresh(0).model.state_dict()
    save_file(state, tmp_path / "good.safetensors")
    save_file({**state, "1.bias": torch.full((4,), torch.nan)}, tmp_path / "bad.safetensors")
    assert given(plan, tmp_path / "good.safetensors", rows(8)).weights.keys() == state.keys()
    with pytest.raises(ConfigError, match="got NaN or infinity for 8 of 8 rows"):
        given(plan, tmp_path / "bad.safetensors", rows(8))


class Made(Defense):
    """Gives what a test says."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean", "suspects"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"scores"})
    outcome: Mapping[str, Any] = {}

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        del view, ctx
        return DefenseOutcome(**self.outcome)


def defended(outcome: Mapping[str, Any], reserve: int = 20, **options: Any) -> Any:
    plan = plan_of(lambda info: linear())
    model = plan.trained(plan.fresh(0), {})
    scene = Scene(plan, model, rows(40), rows(reserve), {})
    return defend(scene, "toy/made", Made.model_construct(outcome=outcome), DefenseOptions(**options), 0)


@pytest.mark.parametrize(
    ("outcome", "what"),
    [
        ({"scores": torch.tensor([0.0, torch.nan] * 20), "threshold": 0.5}, "20 of 40 of its scores"),
        ({"scores": torch.zeros(40), "threshold": torch.inf}, "1 of 1 of its threshold"),
        ({"verdict": Verdict(1.0, False, (), (1.0, torch.nan))}, "1 of 3 of its verdict"),
        ({"notes": {"loss": torch.nan}}, "1 of 1 of its loss"),
    ],
)
def test_numbers_that_are_none_are_one_clear_error(outcome: Mapping[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=f"toy/made: expected finite numbers, got NaN or infinity in {what}"):
        defended(outcome)


@pytest.mark.parametrize(
    ("reserve", "budget", "message", "hint"),
    [
        (20, 0.01, "expected a share that gives at least 1 clean row, got 0.01 of 40 rows", "Set budget to 0.025"),
        (0, 0.05, "The defender has no clean rows: the reserve is empty", "Raise dataset.reserve"),
        (20, 0.9, r"expected at most 0.5 \(the reserve holds 20 rows, the training split 40\), got 0.9", "Set budget"),
    ],
)
def test_a_budget_that_the_reserve_cannot_give(reserve: int, budget: float, message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        defended({}, reserve, budget=budget)
    assert refused.value.hint.startswith(hint)


def test_the_whole_reserve_may_be_the_budget() -> None:
    assert defended({}, budget=0.5).facts["budget"] == 20
    assert len(stratified_rows(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 5, Draws(0))) == 0


def test_a_training_that_diverges_says_so() -> None:
    plan = plan_of(lambda info: linear())
    subject = plan.fresh(0)
    data = hold(rows(40), subject.model, plan.device)
    with pytest.raises(ConfigError, match=r"The training of toy/made diverged: the mean loss of epoch 1 is (nan|inf)"):
        fit_model(Fit(subject, data, TrainConfig(epochs=3, lr=1e38, batch_size=8), 0))


@pytest.mark.parametrize("frozen", [(), (0,), (0, 1)])
def test_only_what_is_frozen_whole_is_thawed(frozen: tuple[int, ...]) -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    for layer in frozen:
        model[layer].requires_grad_(False)
    thaw(model)
    trained = [p.requires_grad for p in model.parameters()]
    assert trained == ([True, True] if len(frozen) in (0, 2) else [False, True])
