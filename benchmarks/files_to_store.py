"""From a data set's files to a stored poisoned split: run by hand, with MBTI_DATA set.

Both stages as a run does them: decode every picture of CIFAR-10 and write it, then choose rows, trigger them and write
them. Imports, and the first picture that a decoder sees, are left out; what else runs on the machine only ever slows a
pass, so the fastest counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbti_core.api import default_data_root
from mbti_core.contracts.attack import Aim, Attack, FitContext
from mbti_core.data.artifacts import PreparedData
from mbti_core.data.rng import Draws
from mbti_core.engine.config import DatasetOptions
from mbti_core.plugins.manager import registry
from mbti_core.stages.poison import poison
from mbti_core.stages.prepare import prepare
from mbti_image.datasets.cifar10 import Cifar10

ATTACKS = ("badnets", "blended", "wanet")
RATIO, AIM = 0.1, Aim(0, 10)
PUBLIC = 2000  # pictures/s that public toolkits reach at the most on such a machine


def seconds(attack: Attack[Any], root: Path, folder: Path) -> tuple[int, float, float]:
    """Return how many pictures were read, and the seconds of each stage."""
    modality = registry().modalities["image"]
    for name in ("prepared", "poisoned"):
        (folder / name).mkdir()
    start = time.perf_counter()
    prepare(Cifar10(), DatasetOptions(), root, 0, modality).save(folder / "prepared")
    between = time.perf_counter()
    parts = PreparedData.load(folder / "prepared", modality).parts
    state = attack.fit(parts["train"], FitContext(AIM, Draws(0), torch.device("cpu")))
    poison(parts["train"], attack, AIM, RATIO, 0, state, clean_label=False).save(folder / "poisoned")
    return sum(map(len, parts.values())), between - start, time.perf_counter() - between


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    root = default_data_root()
    records = Cifar10().load("train", root)
    assert records is not None
    records.read(np.arange(8))
    print(f"{'attack':<12}{'pictures':>10}{'prepare, s':>12}{'poison, s':>12}{'pictures/s':>12}{'x public':>10}")
    for name in ATTACKS:
        attack: Attack[Any] = registry().find("attack", name, "image").load()()
        runs = []
        for _ in range(asked.repeats):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(seconds(attack, root, Path(folder)))
        rows, decode, trigger = min(runs, key=lambda run: run[1] + run[2])
        rate = rows / (decode + trigger)
        print(f"{name:<12}{rows:>10,}{decode:>12.2f}{trigger:>12.2f}{rate:>12,.0f}{rate / PUBLIC:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
