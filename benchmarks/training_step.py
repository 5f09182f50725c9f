"""How much of a training step is not the model's forward, backward and optimizer: run by hand, all in one run.

The whole step selects rows of the held split, augments them by key, makes model inputs, and steps; the bare step
repeats the last part on one fixed batch. They alternate, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws
from mbti_core.engine.numerics import choose_precision, choose_threads
from mbti_core.plugins.manager import registry
from mbti_core.stages.train import ModelPlan
from mbti_core.training.loop import augmenting_forward
from mbti_core.training.optimize import make_optimizer


def timed(run: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Bench:
    """A model, rows on the device, and the three things that are timed."""

    def __init__(self, model: str, batch: int) -> None:
        plugins, device = registry(), torch.device("cpu")
        found = plugins.find("model", model, "image")
        self.info = ModelInfo(found.component.id, "image", InputSpec((3, 32, 32), "uint8", 0, 255), 10)
        self.precision = choose_precision("auto", found.component.traits, "cpu")
        plan = ModelPlan(
            found.load(), {}, self.info, plugins.modalities["image"], plugins.adapters, device, self.precision
        )
        self.subject, self.batch = plan.fresh(0), batch
        self.subject.model.to(memory_format=torch.channels_last).train()
        self.optimizer = make_optimizer(self.subject.model, "sgd", 0.01, 0.9, 5e-4)
        self.held = HeldTensor(torch.randint(0, 256, (10_000, 3, 32, 32), dtype=torch.uint8))
        self.labels, self.ids = torch.randint(0, 10, (10_000,)), torch.arange(10_000)
        self.order = Draws(0).permutation(10_000)
        self.forward = augmenting_forward(self.subject, self.subject.model, Draws(1), augment=True)
        self.fixed = self.subject.encode(self.held.take(self.order[:batch]))

    def rows(self, step: int) -> torch.Tensor:
        """Return the positions of one batch."""
        return self.order[step * self.batch : (step + 1) * self.batch]

    def learn(self, logits: torch.Tensor, rows: torch.Tensor) -> None:
        """Step on the loss."""
        loss = functional.cross_entropy(logits.float(), self.labels[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def whole(self, step: int) -> None:
        """Do what the training loop does with a batch."""
        rows = self.rows(step)
        self.learn(self.forward(self.held.take(rows), self.ids[rows], 0), rows)

    def bare(self) -> None:
        """Do the same on inputs that are ready."""
        with self.subject.precision():
            logits = self.subject.model(self.fixed)
        self.learn(logits, self.order[: self.batch])

    def data(self, step: int) -> None:
        """Only select, augment, and make inputs."""
        rows = self.rows(step)
        batch, name = self.held.take(rows), self.info.modality
        x = self.subject.adapters.augment(batch, self.ids[rows], name, Draws(1), self.info.facts)
        self.subject.encode(x)


def main() -> None:
    """Print images per second of both steps, and the share of the data path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12)
    asked = parser.parse_args()
    torch.set_num_threads(choose_threads({"large"}))
    bench = Bench(asked.model, asked.batch)
    bench.whole(0)
    bench.bare()
    times = [
        (timed(partial(bench.whole, step)), timed(bench.bare), timed(partial(bench.data, step)))
        for step in range(asked.steps)
    ]
    full, core, path = (statistics.median(column) for column in zip(*times, strict=True))
    threads = torch.get_num_threads()
    print(f"{asked.model}, batch {asked.batch}, {bench.precision}, {threads} threads, medians of {asked.steps} steps")
    print(f"whole step               {full * 1000:8.1f} ms   {asked.batch / full:7.0f} images/s")
    print(f"forward, backward, step  {core * 1000:8.1f} ms   {asked.batch / core:7.0f} images/s")
    print(
        f"data path alone          {path * 1000:8.1f} ms   {path / full:7.1%} of the whole step (target: 5 % at most)"
    )


if __name__ == "__main__":
    main()
