"""Each check fails on a component that breaks its promise, and says what it found and what to do."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Attack, PoisonContext, Selection, TrainingAttack, WeightAttack
from mbti_core.contracts.component import Component
from mbti_core.contracts.dataset import Records
from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Verdict
from mbti_core.contracts.model import FeatureTap, ModelInfo, PrunableLayer, Rendering
from mbti_core.contracts.noise import Noise
from mbti_core.data.rng import Draws
from mbti_core.errors import DataUnavailableError, NotSupportedError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import run_checks, toy, toy_plugin
from mbti_core.testing.planning import plan_checks, run_check


class InPlace(toy.Stamp):
    """Writes into its input."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        x[..., -2:, -2:] = 255
        return x


class Unkeyed(toy.Stamp):
    """Draws from the global generator."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        y = toy.stamp(x, 2, 255)
        y[..., 0, 0] = torch.randint(0, 255, y[..., 0, 0].shape).to(torch.uint8)
        return y


class Legacy(toy.Stamp):
    """Draws from numpy's global generator, and throws the draw away."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        np.random.random()
        return toy.stamp(x, 2, 255)


class Positional(toy.Stamp):
    """Treats the first row of a batch otherwise."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        y = toy.stamp(x, 2, 255)
        y[0, ..., 0, 0] = 7
        return y


class Floating(toy.Stamp):
    """Gives another type."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return toy.stamp(x, 2, 255).float()


class Shrinking(toy.Stamp):
    """Gives another shape."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return toy.stamp(x, 2, 255)[..., 1:]


class Nothing(toy.Stamp):
    """Changes nothing."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return x.clone()


class Greedy(toy.Stamp):
    """Chooses more rows than it was asked for."""

    def choose(self, split: Any, n: int, draws: Any, aim: Any) -> Selection:
        return Selection(torch.arange(n + 1), torch.zeros(0, dtype=torch.int64))


class Overlapping(toy.Stamp):
    """Covers rows that it poisons."""

    def choose(self, split: Any, n: int, draws: Any, aim: Any) -> Selection:
        return Selection(torch.arange(n), torch.arange(n))


class Astray(toy.Stamp):
    """Aims at a class that doesn't exist."""

    def goal(self, y: Tensor, aim: Any) -> Tensor:
        return y * 0 + aim.classes


class Relabels(toy.Stamp):
    """Writes into the labels of its context."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        ctx.y.zero_()
        return toy.stamp(x, 2, 255)


class Owned(toy.Stamp):
    """Has a setting that belongs to the stage."""

    ratio: float = 0.1


class Unpicklable(toy.Stamp):
    """Holds a lock."""

    size: Any = 2

    def model_post_init(self, context: Any) -> None:
        object.__setattr__(self, "__dict__", {**self.__dict__, "lock": threading.Lock()})


class Undocumented(toy.Stamp):
    pass


class Abstract(Attack[Tensor]):
    """Lacks ``poison``."""


class NoZero(toy.Fuzz):
    """Adds a level whatever its strength."""

    def apply(self, x: Tensor, ctx: Any) -> Tensor:
        return super().apply(x // 2 + 1, ctx)


class Constant(toy.Fuzz):
    """Ignores how strong it should be."""

    def apply(self, x: Tensor, ctx: Any) -> Tensor:
        return 255 - x if self.std > 0 else x


class OutOfRange(Noise[Tensor]):
    """Gives labels that don't exist."""

    on: ClassVar[Any] = "y"

    def apply(self, x: Tensor, ctx: Any) -> Tensor:
        return x + ctx.classes


def bad_model(change: Callable[[nn.Module], nn.Module], info: ModelInfo) -> nn.Module:
    return change(toy.mlp(info))


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


class OnDisk(toy.Blobs):
    """Blobs that pretend to lie in a file, with every mistake that a data set can make."""

    def files(self, root: Any) -> Any:
        if not (root / "x").exists():
            raise DataUnavailableError("it is not there.")
        return [root / "x"]

    def fixture(self, root: Any) -> None:
        (root / "x").write_bytes(b"1234")
        (root / "y").write_bytes(b"1234")

    def load(self, part: Any, root: Any) -> Any:
        records = super().load("train" if part == "test" else part, root)
        if records is None:
            return None
        return Records(records.y + 1, lambda at: records.read(at).flip(0))


class OffCard(toy.Blobs):
    """Gives samples of another type than the card says."""

    def load(self, part: Any, root: Any) -> Any:
        records = super().load(part, root)
        return records and Records(records.y, lambda at: records.read(at).float())


def plugin(kind: Any, target: str, traits: tuple[str, ...] = (), **hooks: Any) -> ModuleType:
    module = ModuleType("made_here")
    component = Component(kind, "toy/bad", f"{__name__}:{target}", "Made for a test", traits=frozenset(traits))
    for name, function in {"register": lambda: [component], **hooks}.items():
        setattr(module, f"mbti_{name}", hookimpl(function, specname=f"mbti_{name}"))
    return module


def results(module: ModuleType, *names: str) -> dict[str, str]:
    """Return the messages of the checks that failed, by check; only those that were asked for are run."""
    registry = Registry(points=[], blocked=frozenset())
    registry.register(toy_plugin, "toy")
    registry.register(module, "bad")
    planned = plan_checks("bad", None, registry)
    found = [(p.id.rpartition("-")[2], run_check(p)) for p in planned if p.id.rpartition("-")[2] in names]
    assert {name for name, _ in found} == set(names), [p.id for p in planned]
    return {name: result.message for name, result in found if result.status == "failed"}


CASES = [
    ("attack", "InPlace", "pure", "the batch was changed in place"),
    ("attack", "Relabels", "pure", "labels or ids were changed in place"),
    ("attack", "Unkeyed", "same_seed_same_result", "a global generator was used"),
    ("attack", "Legacy", "same_seed_same_result", "a global generator was used"),
    ("attack", "Positional", "order_independent", "rows differ with batches of 1"),
    ("attack", "Floating", "keeps_type_shape_range", "expected torch.uint8, got torch.float32"),
    ("attack", "Shrinking", "keeps_type_shape_range", "expected the shape (24, 1, 12, 12), got (24, 1, 12, 11)"),
    ("attack", "Nothing", "changes_the_sample", "0% of 24 rows changed"),
    ("attack", "Nothing", "asr_on_toy", "expected an attack success rate of at least 0.9"),
    ("attack", "Greedy", "respects_ratio_and_target", "expected 36 rows to poison, got 37"),
    ("attack", "Overlapping", "respects_ratio_and_target", "a row is chosen twice"),
    ("attack", "Astray", "respects_ratio_and_target", "goal gives classes that don't exist"),
    ("attack", "Owned", "defaults_round_trip", "settings that belong to the stage: ratio"),
    ("attack", "Unpicklable", "picklable", "cannot pickle"),
    ("attack", "Undocumented", "documented", "no docstring of its own"),
    ("attack", "Abstract", "loads", "Abstract leaves abstract: poison"),
    ("attack", "Missing", "loads", "has no attribute 'Missing'"),
    ("attack", "NoZero", "loads", "expected a subclass of Attack"),
    ("noise", "NoZero", "zero_is_identity", "with std = 0 the batch moves by"),
    ("noise", "Constant", "grows_with_strength", "mean change at 0, 25, 50 and 100 % of std"),
    ("noise", "OutOfRange", "keeps_type_shape_range", "expected values in [0, 3], got [4, 7]"),
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
    ("dataset", "OnDisk", "reads_its_fixture", "reading rows"),
    ("dataset", "OffCard", "reads_its_fixture", "expected uint8 as on the card, got torch.float32"),
    ("dataset", "OnDisk", "labels_in_range", "train: labels from 1 to 4 with 4 classes"),
    ("dataset", "OnDisk", "missing_data_message", "files says only: it is not there."),
    ("dataset", "OnDisk", "splits_disjoint", "samples of test stand in another part"),
]


@pytest.mark.learn
@pytest.mark.parametrize(("kind", "target", "check", "message"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES])
def test_a_check_fails_on_what_breaks_its_promise(kind: str, target: str, check: str, message: str) -> None:
    found = results(plugin(kind, target), check)
    assert message in found[check]
    assert found[check].startswith(f"toy/bad-{check}: ")
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
    registry.register(module, "bad")
    (planned,) = [p for p in plan_checks("bad", None, registry) if p.id == f"bad-{check}"]
    assert message in run_check(planned).message


@pytest.mark.parametrize(
    ("hook", "answer", "check", "message"),
    [
        ("prunable_layers", [PrunableLayer("1", 5)], "prunable_layers_exist_or_empty", "expected 5 units"),
        ("prunable_layers", [PrunableLayer("nothing", 5)], "prunable_layers_exist_or_empty", "no module 'nothing'"),
        ("prunable_layers", [PrunableLayer("1", 32, norm="3")], "prunable_layers_exist_or_empty", "got None"),
        ("head", ["0"], "head_named", "0 has no parameters"),
        ("feature_layer", FeatureTap("0", "output", "mean"), "feature_tap_is_2d", ""),
    ],
)
def test_hooks_of_a_model_are_checked_against_it(hook: str, answer: Any, check: str, message: str) -> None:
    module = plugin("model", "plain", **{hook: lambda: answer})
    found = results(module, check)
    if message:
        assert message in found[check]
    else:
        assert found == {}


def plain(info: ModelInfo) -> nn.Module:
    """Build the toy's network."""
    return toy.mlp(info)


def test_what_a_method_refuses_is_skipped_with_its_reason() -> None:
    registry = Registry(points=[], blocked=frozenset())
    registry.register(toy_plugin, "toy")
    registry.register(plugin("defense", "Refuses"), "bad")
    found = {r.id: r for r in run_checks("bad", registry=registry)}
    assert found["toy/bad-returns_new_module"].status == "skipped"
    assert found["toy/bad-returns_new_module"].message == "it needs attention heads; there are none."
    assert found["toy/bad-unsupported_is_declared"].status == "passed"


class Implant(WeightAttack[Tensor]):
    """Tunes a copy of the model on stamped rows."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return toy.stamp(x, 2, 255)

    def implant(self, model: nn.Module, split: Any, ctx: Any) -> nn.Module:
        rows = torch.arange(0, len(split), 2)
        x, y = split.take(rows), split.labels[rows]
        both = torch.cat([toy.to_float(x), toy.to_float(toy.stamp(x, 2, 255))])
        labels = torch.cat([y, self.goal(y, ctx.aim)])
        made = copy.deepcopy(model).train()
        optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
        for _ in range(30):
            optimizer.zero_grad()
            functional.cross_entropy(made(both), labels).backward()
            optimizer.step()
        return made.eval()


class Beside(TrainingAttack[Tensor]):
    """Trains a pattern beside the model, and stamps it at test time."""

    def start(self, model: nn.Module, ctx: Any) -> nn.Module:
        made = nn.Module()
        made.register_parameter("pattern", nn.Parameter(torch.zeros(3, 3)))
        return made

    def step(self, batch: Any, ctx: Any) -> Tensor:
        member = ctx.draws.stream("members", batch.epoch).uniform(batch.index) < ctx.ratio
        x = torch.where(member[:, None, None, None], self.stamped(batch.x, ctx.beside.pattern), batch.x / 255)
        y = torch.where(member, self.goal(batch.y, ctx.aim), batch.y)
        return functional.cross_entropy(ctx.forward(x, batch.index, batch.epoch), y)

    def stamped(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = x / 255
        y[..., -3:, -3:] = pattern.sigmoid() * 0.5 + 0.5
        return y

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return (255 * self.stamped(x, ctx.state["beside.pattern"])).round().to(torch.uint8)


class Kept(toy.Blobs):
    """Blobs that lie in a file, as a data set should."""

    def files(self, root: Any) -> Any:
        if not (root / "blobs.npy").exists():
            raise DataUnavailableError(f"blobs.npy is not in {root}.", "Write it with fixture.")
        return [root / "blobs.npy"]

    def fixture(self, root: Any) -> None:
        np.save(root / "blobs.npy", toy.blobs(torch.arange(80), Draws(1)).numpy())

    def load(self, part: Any, root: Any) -> Any:
        (file,) = self.files(root)
        rows = {"train": slice(0, 40), "test": slice(40, 60), "validation": slice(60, 80)}[part]
        x = np.load(file)[rows]
        return Records(np.arange(len(x)) % 4, lambda at: torch.from_numpy(x[at]))


@pytest.mark.learn
@pytest.mark.parametrize(
    ("kind", "target", "traits"),
    [("attack", "Implant", ()), ("attack", "Beside", ("trains", "trains_trigger")), ("dataset", "Kept", ())],
)
def test_what_keeps_its_promises_passes(kind: str, target: str, traits: tuple[str, ...]) -> None:
    registry = Registry(points=[], blocked=frozenset())
    registry.register(toy_plugin, "toy")
    registry.register(plugin(kind, target, traits), "good")
    found = [r for r in run_checks("good", registry=registry) if "importable" not in r.id]
    assert [r.message for r in found if r.status != "passed"] == []
    assert len(found) >= 9
