"""Each check fails on a model, a defense or an adapter that breaks its promise, and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Verdict
from mbti_core.contracts.model import FeatureTap, ModelInfo, PrunableLayer, Rendering
from mbti_core.errors import NotSupportedError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import run_checks, toy, toy_plugin
from mbti_core.testing.planning import plan_checks, run_check

Make = Callable[..., Registry]
Run = Callable[..., dict[str, str]]


def softmax_of_too_many(info: ModelInfo) -> nn.Module:
    """Give one logit too many."""
    return nn.Sequential(nn.Flatten(), nn.Linear(144, info.num_classes + 1))


class _Detached(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(144, 8), nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x.flatten(1)).detach())


def detached(info: ModelInfo) -> nn.Module:
    """Cut the gradient in the middle."""
    return _Detached(info.num_classes)


class _BatchMean(_Detached):
    def forward(self, x: Tensor) -> Tensor:
        z = self.first(x.flatten(1))
        return self.last(z - z.mean(0))


def over_the_batch(info: ModelInfo) -> nn.Module:
    """Center over the batch in eval mode too."""
    return _BatchMean(info.num_classes)


class _Hidden(_Detached):
    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.offset = torch.rand(classes)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.offset


def with_hidden_state(info: ModelInfo) -> nn.Module:
    """Hold something that is no parameter."""
    return _Hidden(info.num_classes)


class FewScores(Defense):
    """Leaves one row out, declares a model, leaves a hook and another mode."""

    needs: ClassVar[Any] = frozenset({"model", "suspects"})
    yields: ClassVar[Any] = frozenset({"scores", "keep"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        assert view.subject is not None
        assert view.suspects is not None
        view.subject.model.train()
        return DefenseOutcome(scores=torch.rand(len(view.suspects.y) - 1), threshold=0.5)


class Unordered(Defense):
    """Scores rows by their position."""

    needs: ClassVar[Any] = frozenset({"model", "suspects"})
    yields: ClassVar[Any] = frozenset({"scores"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        assert view.suspects is not None
        return DefenseOutcome(scores=torch.arange(len(view.suspects.y)).float() % 7, threshold=0.5)


class SameModel(Defense):
    """Gives the model back that it was given, with its weights at zero; declares a verdict with a class too many."""

    needs: ClassVar[Any] = frozenset({"model"})
    yields: ClassVar[Any] = frozenset({"model", "verdict"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        assert view.subject is not None
        list(view.subject.model.modules())[-1].get_parameter("weight").data.zero_()
        return DefenseOutcome(model=view.subject.model, verdict=Verdict(0.0, True, (ctx.info.num_classes,)))


class TakesHold(SameModel):
    """Counts on a layer of a certain name."""

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        assert view.subject is not None
        return DefenseOutcome(model=view.subject.model.get_submodule("9"))


class Refuses(Defense):
    """Works on no model of this kind."""

    needs: ClassVar[Any] = frozenset({"model"})
    yields: ClassVar[Any] = frozenset({"model"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        raise NotSupportedError("it needs attention heads; there are none.")


CASES = [
    ("model", "softmax_of_too_many", "logits_shape", "expected (1, 4), got (1, 5)"),
    ("model", "detached", "gradients_flow", "no gradient: first.weight, first.bias"),
    ("model", "over_the_batch", "eval_deterministic", "logits of single rows differ"),
    ("model", "with_hidden_state", "safetensors_round_trip", "the loaded model answers otherwise"),
    ("defense", "FewScores", "yields_what_it_declares", "declared ['keep', 'scores'], gave ['scores']"),
    ("defense", "FewScores", "finite_one_score_per_sample", "scores, got (719,)"),
    ("defense", "FewScores", "leaves_model_and_mode_unchanged", "another mode: the model"),
    ("defense", "Unordered", "batch_size_independent", "scores differ by up to"),
    ("defense", "Unordered", "beats_chance_on_toy", "expected an AUROC of at least 0.6"),
    ("defense", "SameModel", "input_model_untouched", "changed: 9.weight"),
    ("defense", "SameModel", "returns_new_module", "it is the same module"),
    ("defense", "SameModel", "verdict_is_well_formed", "targets (4,) with 4 classes"),
    ("defense", "SameModel", "clean_accuracy_kept_on_toy", "got 0.250"),
    ("defense", "TakesHold", "unsupported_is_declared", "AttributeError: _Opaque has no attribute"),
]


@pytest.mark.learn
@pytest.mark.parametrize(("kind", "target", "check", "message"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES])
def test_a_check_fails_on_what_breaks_its_promise(
    kind: str, target: str, check: str, message: str, plugged: Make, failures: Run
) -> None:
    found = failures(plugged(kind, f"{__name__}:{target}"), check)
    assert message in found[check]
    assert found[check].startswith(f"toy/made-{check}: ")
    assert len(found[check].splitlines()) >= 2, "there is no advice"


HOOKS = [
    ("superimpose", lambda x, other, modality, weight: x, "none_for_foreign_arch", "mbti_superimpose gave Tensor"),
    ("superimpose", lambda x, other, modality, weight: x, "superimpose_zero_is_identity", "changes nothing"),
    ("superimpose", lambda x, other, modality, weight: other, "superimpose_zero_is_identity", "under weight 0"),
    ("amplify", lambda x, modality, factor: 255 - x, "amplify_one_is_identity", "under factor 1"),
    ("augment", lambda x, modality: x.float(), "augment_keeps_type_shape_range", "expected torch.uint8"),
    ("render", lambda x, modality: [Rendering("<b>1</b>", "one")], "render_gives_one_per_row", "got 1"),
]


@pytest.mark.parametrize(("hook", "function", "check", "message"), HOOKS, ids=[f"{h[0]}-{h[3]}" for h in HOOKS])
def test_a_check_of_adapters_fails_on_a_wrong_answer(hook: str, function: Any, check: str, message: str) -> None:
    registry = Registry(points=[], blocked=frozenset())
    hooks = {name: getattr(toy_plugin, f"mbti_{name}") for name in ("register", "modalities", "render")}
    module = ModuleType("made_here")
    for name, implementation in {**hooks, hook: function}.items():
        setattr(module, f"mbti_{name}", hookimpl(implementation, specname=f"mbti_{name}"))
    registry.register(module, "made")
    (planned,) = [p for p in plan_checks("made", None, registry) if p.id == f"made-{check}"]
    assert message in run_check(planned).message


@pytest.mark.parametrize(
    ("hook", "answer", "check", "message"),
    [
        ("prunable_layers", [PrunableLayer("1", 5)], "prunable_layers_exist_or_empty", "expected 5 units"),
        ("prunable_layers", [PrunableLayer("nothing", 5)], "prunable_layers_exist_or_empty", "no module 'nothing'"),
        ("prunable_layers", [PrunableLayer("1", 32, norm="3")], "prunable_layers_exist_or_empty", "got None"),
        ("head", ["0"], "head_named", "0 has no parameters"),
        ("feature_layer", FeatureTap("0", "input", "mean"), "feature_tap_is_2d", "several dimensions"),
    ],
)
def test_hooks_of_a_model_are_checked_against_it(
    hook: str, answer: Any, check: str, message: str, plugged: Make, failures: Run
) -> None:
    found = failures(plugged("model", f"{__name__}:plain", **{hook: lambda: answer}), check)
    assert message in found[check]


def plain(info: ModelInfo) -> nn.Module:
    """Build the toy's network."""
    return toy.mlp(info)


def test_what_a_method_refuses_is_skipped_with_its_reason(plugged: Make) -> None:
    registry = plugged("defense", f"{__name__}:Refuses")
    found = {r.id: r for r in run_checks("made", registry=registry)}
    assert found["toy/made-returns_new_module"].status == "skipped"
    assert found["toy/made-returns_new_module"].message == "it needs attention heads; there are none."
    assert found["toy/made-unsupported_is_declared"].status == "passed"
