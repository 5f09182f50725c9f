"""Each check fails on an attack, a noise or a data set that breaks its promise, and says what to do."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Attack, PoisonContext, Selection, TrainingAttack, WeightAttack
from mbti_core.contracts.dataset import Records
from mbti_core.contracts.noise import Noise
from mbti_core.data.rng import Draws
from mbti_core.errors import DataUnavailableError
from mbti_core.plugins.manager import Registry
from mbti_core.testing import run_checks, toy

Make = Callable[..., Registry]
Run = Callable[..., dict[str, str]]


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

    def goal(self, y: Tensor, index: Tensor, aim: Any) -> Tensor:
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
    ("dataset", "OnDisk", "reads_its_fixture", "reading rows"),
    ("dataset", "OffCard", "reads_its_fixture", "expected uint8 as on the card, got torch.float32"),
    ("dataset", "OnDisk", "labels_in_range", "train: labels from 1 to 4 with 4 classes"),
    ("dataset", "OnDisk", "missing_data_message", "files says only: it is not there."),
    ("dataset", "OnDisk", "splits_disjoint", "samples of test stand in another part"),
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


class Implant(WeightAttack[Tensor]):
    """Tunes a copy of the model on stamped rows."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        return toy.stamp(x, 2, 255)

    def implant(self, model: nn.Module, split: Any, ctx: Any) -> nn.Module:
        rows = torch.arange(0, len(split), 2)
        x, y = split.take(rows), split.labels[rows]
        both = torch.cat([toy.to_float(x), toy.to_float(toy.stamp(x, 2, 255))])
        labels = torch.cat([y, self.goal(y, split.index[rows], ctx.aim)])
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
        y = torch.where(member, self.goal(batch.y, batch.index, ctx.aim), batch.y)
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
def test_what_keeps_its_promises_passes(kind: str, target: str, traits: tuple[str, ...], plugged: Make) -> None:
    registry = plugged(kind, f"{__name__}:{target}", traits)
    found = [r for r in run_checks("made", registry=registry) if "importable" not in r.id]
    assert [r.message for r in found if r.status != "passed"] == []
    assert len(found) >= 9
