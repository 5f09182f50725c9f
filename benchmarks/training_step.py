"""How much of a training step is not the model's forward, backward and optimizer: run by hand, all in one run.

The whole step is the training loop itself, as a run calls it: rows of the held split are selected in batches of about
equal length, augmented by key, made into model inputs, and learned from. The bare step learns from the same batches,
whose inputs are ready. They alternate, so that a busy machine slows both. Padding is the share of a batch of tokens
that stands for nothing, beside that of batches in plain random order.

Example: ``python benchmarks/training_step.py text/sst2 text/huggingface --set path=FOLDER --batch 32``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.model import ModelInfo, StartsFromSamples
from mbti_core.data.lengths import mixed_batches
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.engine.allocator import keep_freed_memory
from mbti_core.engine.config import TrainConfig
from mbti_core.engine.numerics import choose_precision, choose_threads
from mbti_core.plugins.manager import registry
from mbti_core.stages.train import ModelPlan, hold
from mbti_core.training.loop import Fit, fit_model
from mbti_core.training.optimize import make_optimizer
from mbti_core.training.subject import Subject

CPU = torch.device("cpu")


def split_of(dataset: str, rows: int, folder: Path) -> tuple[Split[Any], Any, int]:
    """Return the first training rows of a data set, stored and opened again, its card, and how many classes it has."""
    plugins = registry()
    modality = plugins.modalities[dataset.partition("/")[0]]
    source = plugins.find("dataset", dataset).load()()
    root = Path(os.environ.get("MBTI_DATA", "."))
    records = source.load("train", root)
    rows = min(rows, len(records.y))
    modality.write([records.read(np.arange(rows))], folder, rows)
    y = torch.as_tensor(records.y[:rows])
    return (
        Split(modality.open(folder), y, y, clean_kinds(rows), torch.arange(rows), modality),
        source.card(),
        len(source.classes(root)),
    )


class Bench:
    """A model, rows on the device, and both ways to learn from them."""

    def __init__(self, dataset: str, model: str, settings: dict[str, Any], config: TrainConfig, rows: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        split, card, classes = split_of(dataset, rows, Path(self.folder.name))
        plugins, found = registry(), registry().find("model", model)
        info = ModelInfo(found.component.id, split.modality.name, card.input, classes, card.facts)
        self.precision = choose_precision("auto", found.component.traits, "cpu")
        plan = ModelPlan(found.load(), settings, info, split.modality, plugins.adapters, CPU, self.precision)
        self.subject, self.config = plan.fresh(0), config
        if isinstance(self.subject.model, StartsFromSamples):
            self.subject.model.start_from_samples(split.take(at) for at in split.chunks())
        self.data = hold(split, self.subject.model, CPU)
        self.optimizer = make_optimizer(self.subject.model, config.optimizer, config.lr, 0.9, config.weight_decay)

    def part(self, draws: Draws, steps: int) -> LabelledSet:
        """Return as many random rows as so many steps take."""
        rows = draws.permutation(len(self.data.y))[: steps * self.config.batch_size]
        return LabelledSet(Part(self.data.x, rows), self.data.y[rows], self.data.index[rows])

    def whole(self, data: LabelledSet) -> float:
        """Return the seconds of an epoch of the training loop."""
        start = time.perf_counter()
        fit_model(Fit(self.subject, data, self.config, 0))
        return time.perf_counter() - start

    def bare(self, data: LabelledSet) -> float:
        """Return the seconds of the same batches where inputs are ready."""
        model = self.subject.model.train()
        batches = batches_of(data, self.config.batch_size, Draws(0))
        ready = [(self.subject.encode(data.x.take(rows)), data.y[rows]) for rows in batches]
        start = time.perf_counter()
        for x, y in ready:
            with self.subject.precision():
                logits = model(x)
            loss = functional.cross_entropy(logits.float(), y)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return time.perf_counter() - start


class Part:
    """Some rows of a held set."""

    def __init__(self, held: Any, rows: Tensor) -> None:
        self.held, self.rows = held, rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def take(self, rows: Tensor) -> Any:
        """Return samples in storage form."""
        return self.held.take(self.rows[rows])

    def lengths(self) -> Tensor | None:
        """Return their lengths, where they differ."""
        lengths = self.held.lengths()
        return None if lengths is None else lengths[self.rows]


def batches_of(data: LabelledSet, size: int, draws: Draws) -> list[Tensor]:
    """Return the batches of an epoch, as the loop cuts them."""
    return mixed_batches(draws.permutation(len(data.y)), size, data.x.lengths(), draws.stream("batches"))


def padding(subject: Subject, data: LabelledSet, batches: list[Tensor]) -> float:
    """Return the share of padding among all tokens."""
    masks = [subject.encode(data.x.take(rows)).mask for rows in batches]
    return 1 - sum(int(m.sum()) for m in masks) / sum(m.numel() for m in masks)


def main() -> None:
    """Print samples per second of both, and how much of the bare throughput the loop keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="image/digits")
    parser.add_argument("model", nargs="?", default="image/resnet18")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the model")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=30, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--augment", action="store_true", help="augmented, as the usual victims of pictures are")
    asked = parser.parse_args()
    keep_freed_memory()  # as every run does
    torch.set_num_threads(choose_threads({"large"}))
    config = TrainConfig(epochs=1, batch_size=asked.batch, optimizer="adamw", lr=1e-5, augment=asked.augment)
    settings = dict(pair.split("=", 1) for pair in asked.set)
    bench = Bench(asked.dataset, asked.model, settings, config, 100 * asked.batch)
    parts = [bench.part(Draws(n), asked.steps) for n in range(asked.rounds + 1)]
    times = [(bench.whole(part), bench.bare(part)) for part in parts][1:]
    whole, bare = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / w for w, b in times)
    count, threads = asked.steps * asked.batch, torch.get_num_threads()
    print(f"{asked.model} on {asked.dataset}, batch {asked.batch}, {bench.precision}, {threads} threads")
    print(f"training loop            {count / whole:9.0f} samples/s")
    print(f"forward, backward, step  {count / bare:9.0f} samples/s; the loop keeps {ratio:.1%}")
    if bench.data.x.lengths() is not None:
        order = Draws(0).permutation(len(bench.data.y))
        ours = padding(bench.subject, bench.data, batches_of(bench.data, asked.batch, Draws(0)))
        plain = padding(bench.subject, bench.data, list(order.split(asked.batch)))
        print(f"padding                  {ours:9.1%} of a batch (plain random order: {plain:.1%})")


if __name__ == "__main__":
    main()
