"""What checks work on: small data of a modality, its smallest model, and models trained once for all checks."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, TrainingAttack, WeightAttack
from mbti_core.contracts.model import ModelInfo, Recipe, StartsFromSamples
from mbti_core.data.artifacts import PreparedData, TrainedModel
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.engine.config import DatasetOptions, TrainConfig, settings_class
from mbti_core.errors import ConfigError, DataUnavailableError, MissingPluginError
from mbti_core.plugins.manager import Registered, Registry
from mbti_core.stages.fit import fit, fits
from mbti_core.stages.poison import poison, trigger_test
from mbti_core.stages.prepare import prepare
from mbti_core.stages.train import Assault, ModelPlan, hold, implant, train
from mbti_core.testing.suite import Given
from mbti_core.training.subject import Subject

T = TypeVar("T")
CPU = torch.device("cpu")
RATIO = 0.1
ENOUGH = 300
"""Training rows below which a data set is too small to learn from."""
_ROWS = {"train": 1000, "test": 300}
_TRAINING = TrainConfig(epochs=10, batch_size=64, lr=0.05, augment=False, precision="fp32")


class NotApplicableError(Exception):
    """A check cannot say anything here; the reason is shown, and it counts as skipped."""


@dataclass
class Bench:
    """Data and models of one modality.

    Args:
        registry: Where components come from.
        name: The modality.
        given: Settings by component id, where they are others than the defaults.
    """

    registry: Registry
    name: str
    given: Given = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make a folder that goes when the bench goes."""
        self.folder = Path(tempfile.mkdtemp(prefix="mbti-check-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._made: dict[str, Any] = {}

    def settings(self, registered: Registered) -> Any:
        """Return a component's settings object: its defaults, and what was given instead."""
        return settings_class(registered)(**self.given.get(registered.component.id, {}))

    @cached_property
    def data(self) -> PreparedData:
        """The modality's data set: an embedded one if there is one, else the tiny fixture of another.

        Raises:
            NotApplicableError: If no data set of the modality is installed.
        """
        found = [r for r in self.registry.components("dataset", self.name) if r.component.modality == self.name]
        sources = [(self._embedded(source), r.component.id, source) for r in found for source in [self.settings(r)]]
        if not sources:
            raise NotApplicableError(f"no data set of the modality {self.name!r} is installed")
        embedded, _, source = min(sources, key=lambda s: (not s[0], s[1]))
        root = self.folder / "data"
        root.mkdir()
        source.fixture(root)
        counts = {} if not embedded else {part: n for part, n in _ROWS.items() if self._rows(source, part) > 1.2 * n}
        prepared = prepare(source, DatasetOptions(**counts), root, 0, self.registry.modalities[self.name])
        prepared.save(self.folder / "prepared")
        return PreparedData.load(self.folder / "prepared", self.registry.modalities[self.name])

    def _embedded(self, source: Any) -> bool:
        try:
            return not source.files(self.folder / "nothing")
        except DataUnavailableError:
            return False

    def _rows(self, source: Any, part: Any) -> int:
        return len(source.load(part, self.folder).y)

    @property
    def aim(self) -> Aim:
        """Class 0, as a spec has it by default."""
        return Aim(0, len(self.data.classes))

    def plan(self, registered: Registered) -> ModelPlan:
        """Return what a model component is built from, on this data."""
        info = ModelInfo(registered.component.id, self.name, self.data.input, len(self.data.classes), self.data.facts)
        values = self.settings(registered)
        plain = {name: getattr(values, name) for name in type(values).model_fields}
        modality = self.registry.modalities[self.name]
        return ModelPlan(registered.load(), plain, info, modality, self.registry.adapters, CPU, "fp32")

    def fresh(self, registered: Registered, seed: int) -> Subject:
        """Return an untrained model of a component, on this data.

        Raises:
            NotApplicableError: If it cannot take inputs of this size, or the extra or the file that it needs is not
                there.
        """
        try:
            return self.started(self.plan(registered).fresh(seed))
        except (ConfigError, MissingPluginError, DataUnavailableError) as refusal:
            raise NotApplicableError(refusal.message) from refusal

    def started(self, subject: Subject) -> Subject:
        """Return an untrained model that knows what it learns from the training rows before anything else."""
        if isinstance(subject.model, StartsFromSamples):
            split = self.data.parts["train"]
            subject.model.start_from_samples(split.take(rows) for rows in split.chunks())
        return subject

    @cached_property
    def smallest(self) -> ModelPlan:
        """The modality's model with the fewest parameters, among those that are not ``large`` if there are any."""
        found = [r for r in self.registry.components("model", self.name) if r.component.modality == self.name]
        if not found:
            raise NotApplicableError(f"no model of the modality {self.name!r} is installed")
        plans = [self.plan(r) for r in [r for r in found if "large" not in r.component.traits] or found]
        return min(plans, key=lambda p: sum(w.numel() for w in p.fresh(0).model.parameters()))

    @cached_property
    def reference_attack(self) -> Registered:
        """The first attack by name that only poisons data and relabels it."""
        for found in self.registry.components("attack", self.name):
            plain = not isinstance(self.settings(found), TrainingAttack | WeightAttack)
            if plain and "clean_label" not in found.component.traits:
                return found
        raise NotApplicableError(f"no attack on the modality {self.name!r} that relabels rows is installed")

    def state(self, registered: Registered, attack: Attack[Any]) -> dict[str, Tensor]:
        """Return what an attack's trigger needs: what ``fit`` learned, and what was trained beside the victim."""
        state = self.fitted(registered, attack)
        if "trains_trigger" in registered.component.traits:
            state |= {f"beside.{name}": t for name, t in self.victim(registered).beside.items()}
        return state

    def fitted(self, registered: Registered, attack: Attack[Any]) -> dict[str, Tensor]:
        """Return what ``fit`` learned, in the presence of the benign model where the attack wants one.

        Raises:
            NotApplicableError: If it needs files that the settings don't name.
        """
        if not fits(attack):
            return {}

        def learn() -> dict[str, Tensor]:
            wanted = "surrogate" in registered.component.traits
            surrogate = self.smallest.load(self.benign().weights) if wanted else None
            ratio = self.ratio(attack) if "knows_rows" in registered.component.traits else None
            try:
                return fit(attack, self.data.parts["train"], self.aim, 0, CPU, surrogate, ratio)
            except DataUnavailableError as missing:
                raise NotApplicableError(missing.message) from missing

        return dict(self.once(f"fit {registered.component.id} {attack!r}", learn))

    def poisoned(self, registered: Registered) -> Split[Any]:
        """Return the training split with the attack's static form."""
        attack = self.settings(registered)
        split, state = self.data.parts["train"], self.state(registered, attack)
        clean_label = "clean_label" in registered.component.traits
        return poison(split, attack, self.aim, self.ratio(attack), 0, state, clean_label=clean_label).split()

    def ratio(self, attack: Attack[Any]) -> float:
        """Return how much is poisoned: 10 % of all rows, but at most half of those that the attack can poison."""
        split = self.data.parts["train"]
        most = len(attack.choose(split, len(split), Draws(0), self.aim).poison)
        return min(RATIO, most / 2 / len(split))

    def benign(self) -> TrainedModel:
        """Return the smallest model trained on clean rows."""
        return self._train("benign", self.data.parts["train"], None)

    def victim(self, registered: Registered) -> TrainedModel:
        """Return the smallest model with the attack's backdoor."""
        attack, clean = self.settings(registered), self.data.parts["train"]
        id_ = registered.component.id
        if not isinstance(attack, TrainingAttack | WeightAttack):
            return self._train(id_, self.poisoned(registered), None)
        fitted = self.fitted(registered, attack)
        assault = Assault(attack, self.aim, RATIO, 0, fitted)
        if isinstance(attack, TrainingAttack):
            return self._train(id_, clean, assault)
        return self.once(id_, lambda: implant(self.smallest, self.benign(), clean, assault))

    def _train(self, name: str, split: Split[Any], assault: Assault | None) -> TrainedModel:
        if len(self.data.parts["train"]) < ENOUGH:
            raise NotApplicableError(f"the modality {self.name!r} has no data set of {ENOUGH} rows without files")
        return self.once(name, lambda: train(self.smallest, split, self._training, 0, assault, None, lambda *_: None))

    @cached_property
    def _training(self) -> TrainConfig:
        """A short training: core's recipe at a higher rate, or the modality's own."""
        recipe = self.registry.adapters.recipe(self.smallest.info)
        if recipe == Recipe():
            return _TRAINING
        own = {"optimizer": recipe.optimizer, "lr": recipe.lr, "weight_decay": recipe.weight_decay}
        return _TRAINING.model_copy(update={**own, "schedule": recipe.schedule, "batch_size": recipe.batch_size})

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, made once for all checks."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def accuracy(self, model: TrainedModel, split: Split[Any]) -> float:
        """Return the share of rows that a model gives their label."""
        subject = self.smallest.load(model.weights)
        held = hold(split, subject.model, CPU)
        return float((subject.predict(held.x) == held.y).double().mean())

    def triggered(self, registered: Registered) -> Split[Any]:
        """Return the triggered test set; its labels are what the attacker wants."""
        attack = self.settings(registered)
        return trigger_test(self.data.parts["test"], attack, self.aim, 0, self.state(registered, attack)).split()
