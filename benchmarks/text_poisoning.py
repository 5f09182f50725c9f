"""How fast texts are poisoned: run by hand, all attacks that need no files.

``trigger`` is the attack alone, chunk by chunk, on texts in memory; ``stage`` is the whole poison stage as a run does
it: choose a tenth of the rows, read them from a memory-mapped file, trigger them, write the changed rows. Short texts
are the embedded reviews (15 words), long ones sixteen of them in one. Seconds are the processor's, so what else runs
hardly counts; of each chunk the fastest pass does.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from mbti_core.contracts.attack import Aim, Attack, PoisonContext, RowKind, TrainingAttack, WeightAttack
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.errors import DataUnavailableError
from mbti_core.plugins.manager import Registered, registry
from mbti_core.stages.fit import fit, fits
from mbti_core.stages.poison import poison
from mbti_text.datasets.reviews import Reviews
from mbti_text.modality import TextModality

ROWS, LONG, RATIO = 20_000, 16, 0.1
REVIEWS = 1250  # different ones that there are
SEARCHED = 400  # rows of an attack that searches for its words
TARGETS = {"badnets": 50_000, "addsent": 50_000}
AIM = Aim(0, 2)
Texts = Split[list[str]]


def split_of(rows: int, joined: int, folder: Path) -> Texts:
    """Return reviews, again and again, so many in one text, memory-mapped."""
    records = Reviews().load("train", folder)
    assert records is not None
    base = records.read(torch.arange(REVIEWS).numpy())
    texts = [" ".join(base[(n + 2 * k) % REVIEWS] for k in range(joined)) for n in range(rows)]
    modality, y = TextModality(), torch.arange(rows) % 2
    folder.mkdir()
    modality.write([texts], folder, rows)
    return Split(modality.open(folder), y, y, clean_kinds(rows), torch.arange(rows), modality)


def fastest(run: Callable[[int], object], parts: int, repeats: int) -> float:
    """Return the processor seconds of all parts, each in its fastest pass."""
    best = [float("inf")] * parts
    for _ in range(repeats):
        for at in range(parts):
            start = time.process_time()
            run(at)
            best[at] = min(best[at], time.process_time() - start)
    return sum(best)


def trigger_rate(attack: Attack[Any], split: Texts, state: dict[str, torch.Tensor], repeats: int) -> float:
    """Return texts per second of the attack alone."""
    chunks = list(split.chunks())
    texts = [split.take(at) for at in chunks]

    def run(n: int) -> None:
        at = chunks[n]
        kinds = torch.full((len(at),), int(RowKind.POISONED), dtype=torch.uint8)
        ids, y = split.index[at] + (1 << 41), split.truth[at]  # ids that no search has seen
        attack.poison(texts[n], PoisonContext(ids, y, torch.zeros_like(y), kinds, "test", AIM, Draws(0), state))

    return len(split) / fastest(run, len(chunks), repeats)


def stage_seconds(found: Registered, attack: Attack[Any], split: Texts, state: dict[str, torch.Tensor]) -> float:
    """Return the processor seconds of the poison stage."""

    def run(_: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            quiet = "clean_label" in found.component.traits
            poison(split, attack, AIM, RATIO, 0, state, clean_label=quiet).save(Path(name))

    return fastest(run, 1, 3)


def measured(found: Registered, splits: Sequence[Texts], repeats: int) -> list[str]:
    """Return a table's row for an attack."""
    attack: Attack[Any] = found.load()()
    cells = []
    for split in splits:
        searched = "knows_rows" in found.component.traits
        some = split.subset(torch.arange(SEARCHED)) if searched else split
        start = time.process_time()
        ratio = RATIO if searched else None
        state = fit(attack, some, AIM, 0, torch.device("cpu"), None, ratio) if fits(attack) else {}
        learned = time.process_time() - start
        rate = trigger_rate(attack, some, state, 1 if searched else repeats)
        cells += [f"{learned:.1f} s" if state else "-", f"{rate:,.0f}/s"]
        cells.append(f"{stage_seconds(found, attack, some, state):.2f} s")
    wanted = TARGETS.get(found.component.name)
    return [found.component.name, *cells, f"{wanted:,}/s" if wanted else "-"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attacks", nargs="*", help="names; all without any")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, torch {torch.__version__}, one thread, {args.rows:,} texts")
    print("| attack | fit | trigger | stage | fit, long | trigger, long | stage, long | wanted of short |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        splits = [split_of(args.rows // n, n, Path(name) / str(n)) for n in (1, LONG)]
        for found in registry().components("attack", "text"):
            plain = not issubclass(found.load(), TrainingAttack | WeightAttack)
            if (
                found.component.modality != "text"
                or not plain
                or (args.attacks and found.component.name not in args.attacks)
            ):
                continue
            try:
                print(f"| {' | '.join(measured(found, splits, args.repeats))} |", flush=True)
            except DataUnavailableError as missing:
                print(f"{found.component.name}: {missing.message}", flush=True)


if __name__ == "__main__":
    main()
