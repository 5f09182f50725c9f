"""How fast attacks that learn their trigger put it on pictures: run by hand, all in one run.

For a trigger made by a net, ``net`` is the net's bare forward pass on the same pictures, chunk by chunk; the attack may
take 1.5 times as long. Weights are drawn and not trained, and patterns too: both take as long. What else runs on the
machine only ever slows a pass, so the fastest of each chunk counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.attack import Aim, Attack, PoisonContext, Role
from mbti_core.data.rng import Draws
from mbti_image.attacks.iab import IAB
from mbti_image.attacks.lc import LabelConsistent
from mbti_image.attacks.lf import LowFrequency
from mbti_image.attacks.lira import LIRA
from mbti_image.attacks.narcissus import Narcissus
from mbti_image.attacks.sbat import SBAT
from mbti_image.attacks.ssba import SSBA
from mbti_image.generator import Generator, kept_generator
from mbti_image.modality import to_float
from mbti_image.steganography import Hider, kept_hider

CHUNK, SHAPE = 341, (3, 32, 32)  # a stage walks in chunks of 1 MB
FACTOR, RATE = 1.5, 100_000
Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Entry:
    """An attack, what its ``fit`` would give, and the nets that it runs on every picture."""

    attack: Attack[Any]
    state: dict[str, Tensor]
    nets: tuple[Forward, ...] = ()
    role: Role = "train"


def named(prefix: str, net: nn.Module) -> dict[str, Tensor]:
    """Return a net's weights as they stand in a state."""
    return {prefix + name: t for name, t in net.state_dict().items()}


def entries(rows: int) -> dict[str, Entry]:
    """Return every attack with a state for ``rows`` pictures."""
    ssba, lira, sbat, iab = SSBA(), LIRA(), SBAT(), IAB()
    secret = torch.ones(ssba.bits)
    hiding = named("hider.", Hider(ssba.bits, ssba.width)) | {"secret": secret, "gain": torch.ones(1)}
    faint = torch.randint(-8, 9, (rows, *SHAPE), dtype=torch.int8)
    beside, net = (named(p, Generator(3, lira.width)) for p in ("beside.", "net."))
    both = named("beside.", Generator(3, iab.width)) | named("mask.", Generator(1, iab.width))
    return {
        "lc": Entry(LabelConsistent(), {"rows": torch.arange(rows), "changes": faint}),
        "lf": Entry(LowFrequency(), {"pattern": torch.randint(0, 52, SHAPE, dtype=torch.uint8)}),
        "narcissus": Entry(Narcissus(), {"pattern": faint[0].to(torch.int16)}, role="test"),
        "ssba": Entry(
            ssba, hiding, (partial(kept_hider(ssba.bits, ssba.width, hiding, "hider."), message=secret[None]),)
        ),
        "lira": Entry(lira, net, (kept_generator(3, lira.width, net, "net."),)),
        "sbat": Entry(sbat, beside, (kept_generator(3, sbat.width, beside, "beside."),)),
        "iab": Entry(
            iab, both, tuple(kept_generator(n, iab.width, both, p) for n, p in ((3, "beside."), (1, "mask.")))
        ),
    }


def seconds(run: Callable[[Tensor, Tensor], object], x: Tensor, repeats: int) -> float:
    """Return the time of one pass over all pictures, ``run`` on each chunk and its ids."""
    index = torch.arange(len(x))
    parts = list(zip(x.split(CHUNK), index.split(CHUNK), strict=True))  # type: ignore[no-untyped-call]  # torch
    best = [float("inf")] * len(parts)
    with torch.no_grad():
        for _ in range(repeats):
            for at, part in enumerate(parts):
                start = time.perf_counter()
                run(*part)
                best[at] = min(best[at], time.perf_counter() - start)
    return sum(best)


def poisoned(entry: Entry, x: Tensor, index: Tensor) -> Tensor:
    """Return a chunk with the trigger."""
    kind, y = torch.ones(len(x), dtype=torch.uint8), torch.zeros_like(index)
    ctx = PoisonContext(index, y, y, kind, entry.role, Aim(0, 10), Draws(0), entry.state)
    made: Tensor = entry.attack.poison(x, ctx)
    return made


def forward(nets: tuple[Forward, ...], x: Tensor, index: Tensor) -> None:
    """Run the nets on a chunk."""
    del index
    inputs = to_float(x)
    for net in nets:
        net(inputs)


def main() -> None:
    """Print pictures per second, and what the attack adds to its nets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="a stage without a model takes one")
    parser.add_argument("--rows", type=int, default=12 * CHUNK)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    x = torch.randint(0, 256, (asked.rows, *SHAPE), dtype=torch.uint8)
    print(f"{asked.rows:,} pictures of 32 pixels, {asked.threads} threads, torch {torch.__version__}\n")
    print(f"{'attack':<12}{'pictures/s':>12}{'net alone':>12}{'target':>16}{'found':>8}")
    for name, entry in entries(asked.rows).items():
        whole = seconds(partial(poisoned, entry), x, asked.repeats)
        if not entry.nets:
            print(f"{name:<12}{asked.rows / whole:>12,.0f}{'':>12}{f'{RATE:,}':>16}", flush=True)
            continue
        bare = seconds(partial(forward, entry.nets), x, asked.repeats)
        found = f"{asked.rows / bare:>12,.0f}{f'{FACTOR} x its time':>16}{whole / bare:>8.2f}"
        print(f"{name:<12}{asked.rows / whole:>12,.0f}{found}", flush=True)


if __name__ == "__main__":
    main()
