"""How fast images are poisoned, and in how much memory: run by hand, all attacks whose trigger needs no training.

``trigger`` is the attack alone, chunk by chunk, on pictures in memory. ``stage`` is the whole poison stage as a
run does it: choose rows, read them from a memory-mapped file, trigger them, write the changed rows. Its peak memory is
what a fresh process needs beyond what it had before the stage, file-backed pages left out: the system may drop those.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, RowKind
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.plugins.manager import registry
from mbti_core.stages.poison import poison
from mbti_image.contents.attacks_fixed import FIXED
from mbti_image.contents.attacks_training import TRAINING

ROWS, FEW = 50_000, 10_000
SHAPE = (3, 32, 32)
ATTACKS = [c.name for c in (*FIXED, *TRAINING) if not {"trains_trigger", "surrogate"} & c.traits]
TARGETS = {"badnets": 500_000, "blended": 300_000}
TARGET = 100_000
AIM = Aim(0, 10)


def split_of(array: np.ndarray[Any, np.dtype[Any]]) -> Split[Any]:
    """Return a split of pictures with labels in turn."""
    rows = torch.arange(len(array))
    modality = registry().modalities["image"]
    return Split(ArrayColumn(array), rows % 10, rows % 10, clean_kinds(len(array)), rows, modality)


def attack_of(name: str) -> Attack[Any]:
    """Return an attack with its default settings."""
    attack: Attack[Any] = registry().find("attack", name, "image").load()()
    return attack


def state_of(attack: Attack[Any], split: Split[Any]) -> dict[str, torch.Tensor]:
    """Return what ``fit`` draws."""
    return attack.fit(split, FitContext(AIM, Draws(0), torch.device("cpu")))


def trigger_rate(attack: Attack[Any], split: Split[Any], kind: RowKind, repeats: int) -> float:
    """Return pictures per second of the attack alone, in the chunks that a stage walks in.

    Each pass goes over all pictures, so none is still in a cache; of each chunk the fastest pass counts, since what
    else runs on the machine only ever slows one.
    """
    state = state_of(attack, split)
    kinds = torch.full((len(split),), int(kind), dtype=torch.uint8)
    chunks = [
        (
            split.take(at),
            PoisonContext(
                split.index[at], split.truth[at], torch.zeros_like(at), kinds[at], "train", AIM, Draws(0), state
            ),
        )
        for at in split.chunks()
    ]

    best = [float("inf")] * len(chunks)
    for _ in range(repeats):
        for at, (x, ctx) in enumerate(chunks):
            start = time.perf_counter()
            attack.poison(x, ctx)
            best[at] = min(best[at], time.perf_counter() - start)
    return len(split) / sum(best)


def whole_stage(name: str, source: Path, folder: Path) -> int:
    """Poison all rows of a file that the attack and its cover rows allow; return the number of changed rows."""
    attack, split = attack_of(name), split_of(np.load(source, mmap_mode="r", allow_pickle=False))
    few, most = (attack.choose(split, n, Draws(0), AIM) for n in (len(split) // 20, len(split)))
    share = min(len(most.poison) / len(split), len(few.poison) / (len(few.poison) + len(few.cover)))
    changed = poison(split, attack, AIM, share, 0, state_of(attack, split), clean_label=False)
    folder.mkdir()
    changed.save(folder)
    return len(changed.changed_at)


def own_memory() -> int:
    """Return the bytes of this process that no file backs; where the system doesn't tell, the peak of all."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def measure_stage(name: str, source: Path, folder: Path) -> dict[str, float]:
    """Run the stage once while a thread watches the memory, and once more for its speed."""
    before, peak, done = own_memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.0005):
            peak[0] = max(peak[0], own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    whole_stage(name, source, folder / "first")
    done.set()
    watcher.join()
    start = time.perf_counter()
    rows = whole_stage(name, source, folder / "second")
    return {"rate": rows / (time.perf_counter() - start), "peak": max(0, peak[0] - before)}


def stage_in_fresh_process(name: str, source: Path, threads: int) -> dict[str, float]:
    """Return the rate and the peak memory of the stage, measured in a process of its own."""
    command = [sys.executable, __file__, "--threads", str(threads), "--stage", name, str(source)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def machine(threads: int) -> str:
    """Describe what this was measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((s.split(":")[1].strip() for s in info.read_text().splitlines() if s.startswith("model name")), cpu)
    isa = torch.backends.cpu.get_cpu_capability()
    return f"{cpu}, {threads} threads, {isa}, torch {torch.__version__}, Python {platform.python_version()}"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="passes over the pictures")
    parser.add_argument("--stage", nargs=2, metavar=("ATTACK", "FILE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def report(threads: int, repeats: int) -> None:
    """Measure every attack and print a table."""
    pictures = np.random.default_rng(0).integers(0, 256, (ROWS, *SHAPE), dtype=np.uint8)
    print(f"{ROWS:,} pictures of 32 pixels; {machine(threads)}\n")
    head = f"{'attack':<18}{'trigger':>13}{'target':>11}{'stage':>13}{f'peak {FEW:,}':>15}{f'peak {ROWS:,}':>15}"
    print(head, f"{'':<18}{'pictures/s':>13}{'':>11}{'pictures/s':>13}{'MB':>15}{'MB':>15}", "-" * len(head), sep="\n")
    with tempfile.TemporaryDirectory() as name:
        sources = {n: Path(name) / f"{n}.npy" for n in (FEW, ROWS)}
        for n, source in sources.items():
            np.save(source, pictures[:n])
        for attack in ATTACKS:
            rate = trigger_rate(attack_of(attack), split_of(pictures), RowKind.POISONED, repeats)
            few, many = (stage_in_fresh_process(attack, sources[n], threads) for n in (FEW, ROWS))
            peaks = "".join(f"{found['peak'] / 1e6:>15.1f}" for found in (few, many))
            print(
                f"{attack:<18}{rate:>13,.0f}{TARGETS.get(attack, TARGET):>11,}{many['rate']:>13,.0f}{peaks}", flush=True
            )
    rate = trigger_rate(attack_of("wanet"), split_of(pictures), RowKind.COVER, 2)
    print(f"{'wanet, cover rows':<18}{rate:>13,.0f}")
    print("\nWhat grows with the rows is their labels, kinds and ids, about 0.1 KB each; the pictures don't stay.")
    print("A stage covers rows too where the attack does, and has a tenth of the rows for an attack on one class.")


def main() -> None:
    asked = arguments()
    torch.set_num_threads(asked.threads)
    if asked.stage:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(measure_stage(asked.stage[0], Path(asked.stage[1]), Path(name))))
    else:
        report(asked.threads, asked.repeats)


if __name__ == "__main__":
    main()
