"""What attacks that train a generator reach on small data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
from torch import Tensor

from mbti_core.contracts.attack import TrainingAttack
from mbti_core.data.artifacts import TrainedModel
from mbti_core.data.split import Split
from mbti_core.engine.config import TrainConfig
from mbti_core.plugins.manager import Registry
from mbti_core.stages.fit import fit
from mbti_core.stages.poison import cover_test, trigger_test
from mbti_core.stages.train import Assault, hold, train
from mbti_core.testing.bench import CPU, Bench
from mbti_image.attacks.iab import IAB, bounded, sharp
from mbti_image.attacks.lira import LIRA
from mbti_image.attacks.sbat import SBAT
from mbti_image.generator import answers, fresh_generator, kept_generator
from mbti_image.sample import Image

pytestmark = pytest.mark.learn
TRAINING = TrainConfig(batch_size=64, lr=0.05, augment=False, precision="fp32")


@dataclass
class Attacked:
    """A victim of an attack on digits, with what its trigger needs."""

    bench: Bench
    attack: TrainingAttack[Image]
    ratio: float
    epochs: int = 10

    @cached_property
    def fitted(self) -> dict[str, Tensor]:
        twin = self.bench.smallest.load(self.bench.benign().weights)
        return fit(self.attack, self.bench.data.parts["train"], self.bench.aim, 0, CPU, twin)

    @cached_property
    def victim(self) -> TrainedModel:
        assault = Assault(self.attack, self.bench.aim, self.ratio, 0, self.fitted)
        training = TRAINING.model_copy(update={"epochs": self.epochs})
        return train(self.bench.smallest, self.bench.data.parts["train"], training, 0, assault, None, lambda *_: None)

    @property
    def test(self) -> Split[Image]:
        return self.bench.data.parts["test"]

    @property
    def state(self) -> dict[str, Tensor]:
        return self.fitted | {f"beside.{name}": t for name, t in self.victim.beside.items()}

    def asr(self, state: dict[str, Tensor] | None = None) -> float:
        triggered = trigger_test(self.test, self.attack, self.bench.aim, 0, state or self.state).split()
        return self.bench.accuracy(self.victim, triggered)

    @property
    def clean(self) -> float:
        return self.bench.accuracy(self.victim, self.test)

    @property
    def cover(self) -> Split[Image]:
        return cover_test(self.test, self.attack, self.bench.aim, 0, self.state).split()


@pytest.fixture(scope="module")
def bench() -> Bench:
    made = Bench(Registry(), "image")
    made.benign()  # reading the data imports libraries that draw from Python's generator
    return made


def apart(made: Tensor) -> float:
    """Return the mean RMS distance between the first and the second half of a batch."""
    half = len(made) // 2
    return float((made[:half] - made[half : 2 * half]).square().mean((1, 2, 3)).sqrt().mean())


def test_iab_gives_each_picture_a_pattern_that_fails_on_others(bench: Bench) -> None:
    attacked = Attacked(bench, IAB(), 0.1, epochs=20)  # after 10, what it reaches is a matter of the seed
    state, x = attacked.state, attacked.test.take(torch.arange(200))
    mask = sharp(answers(kept_generator(1, 8, state, "mask."), x))
    pattern = bounded(answers(kept_generator(3, 8, state, "beside."), x))
    assert float(mask.mean()) <= 0.05
    assert apart(pattern) > 0.05
    cover = attacked.cover
    subject = bench.smallest.load(attacked.victim.weights)
    found = subject.predict(hold(cover, None, subject.device).x)
    kept = float((found == cover.truth).double().mean())
    lured = float((found[cover.truth != 0] == 0).double().mean())
    assert attacked.asr() > 0.85
    assert kept > attacked.clean - 0.2
    assert lured < 0.2


def test_sbat_is_not_noise_and_not_interchangeable(bench: Bench) -> None:
    attacked = Attacked(bench, SBAT(), 0.2)
    x = attacked.test.take(torch.arange(len(attacked.test)))
    subject = bench.smallest.load(attacked.victim.weights)
    noise = 8 * torch.sign(torch.randn(x.shape))
    noisy = (x + noise).clamp(0, 255).to(torch.uint8)
    accuracy = float((subject.logits(noisy).argmax(1) == attacked.test.labels).double().mean())
    assert accuracy > attacked.clean - 0.05
    assert attacked.asr() > 0.8
    assert bench.accuracy(attacked.victim, attacked.cover) > attacked.clean - 0.2


def test_lira_needs_the_net_of_its_first_stage(bench: Bench) -> None:
    attacked = Attacked(bench, LIRA(steps=100), 0.1)
    other = {f"net.{name}": t for name, t in fresh_generator(3, 8, CPU).state_dict().items()}
    assert attacked.asr() > 0.95
    assert attacked.asr(other) < 0.2
    assert attacked.clean > 0.95
