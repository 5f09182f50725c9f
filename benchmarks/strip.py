"""STRIP's speed beside that of bare forward passes: run by hand, all in one run.

STRIP takes samples and overlays from what is held, lays one over the other, makes model inputs of them, runs the model
and takes entropies. The bare passes get the very same inputs in the same chunks, ready made. Both take turns, each
going first every other time, and time is that of the processor, so that a busy machine slows both alike; a ratio is
that of neighbors, and their median counts. Weights do not matter here, so the model is untrained.

Example: ``python benchmarks/strip.py`` or ``python benchmarks/strip.py image/digits image/resnet18``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbti_core.contracts.defense import DefenseContext, LabelledSet
from mbti_core.contracts.model import ModelInfo, StartsFromSamples
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.engine.allocator import keep_freed_memory
from mbti_core.engine.numerics import choose_precision
from mbti_core.plugins.manager import registry
from mbti_core.stages.train import ModelPlan, hold
from mbti_core.training.subject import Subject
from mbti_defenses.detect.strip import STRIP

CPU = torch.device("cpu")
CASES = [
    ("image/digits", "image/fast"),
    ("image/digits", "image/resnet18"),
    ("text/reviews", "text/transformer"),
    ("audio/melodies", "audio/melcnn"),
]


class Bench:
    """A model, samples and overlays, and both ways to run the model on them."""

    def __init__(self, dataset: str, model: str, rows: int, overlays: int) -> None:
        plugins, found = registry(), registry().find("model", model)
        modality = plugins.modalities[dataset.partition("/")[0]]
        source = plugins.find("dataset", dataset).load()()
        records = source.load("train", Path())
        total = min(len(records.y), max(1000, rows + overlays))
        with tempfile.TemporaryDirectory() as folder:
            modality.write([records.read(np.arange(total))], Path(folder), total)
            y = torch.as_tensor(records.y[:total])
            split = Split(modality.open(Path(folder)), y, y, clean_kinds(total), torch.arange(total), modality)
            card = source.card()
            info = ModelInfo(found.component.id, modality.name, card.input, len(source.classes(Path())), card.facts)
            self.precision = choose_precision("auto", found.component.traits, "cpu")
            plan = ModelPlan(found.load(), {}, info, modality, plugins.adapters, CPU, self.precision)
            self.subject: Subject = plan.fresh(0)
            if isinstance(self.subject.model, StartsFromSamples):
                self.subject.model.start_from_samples(split.take(at) for at in split.chunks())
            at = torch.arange(rows)
            self.data = hold(split, self.subject.model, CPU, at)
            self.pool: LabelledSet = hold(split, self.subject.model, CPU, torch.arange(rows, rows + overlays))
        self.drawn, self.pairs = torch.arange(overlays), rows * overlays
        self.context = DefenseContext(plugins.adapters, Draws(0), CPU, info)
        self.ready: list[Any] = []
        handle = self.subject.model.register_forward_pre_hook(lambda module, inputs: self.ready.append(inputs[0]))
        self.whole()
        handle.remove()
        encode = getattr(self.subject.model, "encode", None)
        self.ready = [encode(x) if encode and isinstance(x, list) else x for x in self.ready]

    def whole(self) -> None:
        """Take the entropies of all pairs as the defense does."""
        STRIP().entropies(self.subject, self.data, self.pool, self.drawn, self.context)

    def bare(self) -> None:
        """Run the model on the same inputs."""
        for x in self.ready:
            with self.subject.evaluating():
                self.subject.model(x)


def seconds(form: Callable[[], None]) -> float:
    """Return how long a form keeps the processor."""
    start = time.process_time()
    form()
    return time.process_time() - start


def main() -> None:
    """Print pairs per second of both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="a data set and a model; without them, all of a list")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--overlays", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(asked.threads)
    for dataset, model in [tuple(asked.case)] if asked.case else CASES:
        bench = Bench(dataset, model, asked.rows, asked.overlays)
        times = []
        for turn in range(asked.rounds):
            forms = (bench.whole, bench.bare) if turn % 2 else (bench.bare, bench.whole)
            pair = [seconds(form) for form in forms]
            times.append(pair if turn % 2 else pair[::-1])
        whole, bare = (bench.pairs / statistics.median(found) for found in zip(*times, strict=True))
        ratio = statistics.median(bare / whole for whole, bare in times)
        print(
            f"{model:18} {bench.precision:5} {whole:8.0f} pairs/s, bare {bare:8.0f}, ratio {ratio:5.3f}"
            f" of {asked.rounds} rounds of {bench.pairs} pairs"
        )


if __name__ == "__main__":
    main()
