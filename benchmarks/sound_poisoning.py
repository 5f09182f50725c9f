"""How fast sounds are read and poisoned: run by hand, with MBTI_DATA set for the reading.

``read`` decodes every clip of Speech Commands in the batches of the prepare stage. ``trigger`` is an attack alone on
clips of a second at 16 kHz in memory, chunk by chunk; ``stage`` is the whole poison stage as a run does it: choose a
tenth of the rows, read them from a memory-mapped file, trigger them, write them. What a benign twin would choose is
given: it does not count for speed. Of each chunk the fastest pass counts, since what else runs only ever slows one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from mbti_audio.attacks.badnets import BadNets
from mbti_audio.attacks.blended import Blended
from mbti_audio.attacks.daba import Daba
from mbti_audio.attacks.gis import Gis
from mbti_audio.attacks.phaseback import PhaseBack
from mbti_audio.attacks.piba import Piba
from mbti_audio.attacks.ultrasonic import UltraSonic
from mbti_audio.attacks.vsvc_formant import VsvcFormant
from mbti_audio.datasets.speechcommands import SpeechCommands
from mbti_audio.loudness import to_rms
from mbti_audio.modality import AudioModality
from mbti_audio.tones import sine
from mbti_audio.waves import Waves
from mbti_core.api import default_data_root
from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, RowKind
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.stages.poison import poison

RATE, ROWS, RATIO, READ = 16_000, 10_000, 0.1, 64
AIM = Aim(0, 10)
ADDED, SHIFTED, FILES = 30_000, 300, 2_000
ATTACKS: dict[str, tuple[Attack[Waves], int | None]] = {
    "badnets": (BadNets(), ADDED),
    "blended": (Blended(), ADDED),
    "daba": (Daba(), ADDED),
    "ultrasonic, 7 kHz": (UltraSonic(frequency=7000), ADDED),
    "piba": (Piba(), ADDED),
    **{f"gis, style {style}": (Gis(style=style), SHIFTED if style == 0 else None) for style in range(6)},
    "phaseback": (PhaseBack(), None),
    "vsvc_formant": (VsvcFormant(), None),
}


def split_of(rows: int, folder: Path) -> Split[Waves]:
    """Return clips of noise with labels in turn, memory-mapped."""
    modality, draws = AudioModality(), Draws(0)
    lengths = torch.full((READ,), RATE)

    def batches() -> Any:
        for start in range(0, rows, READ):
            index = torch.arange(start, min(start + READ, rows))
            yield Waves((0.05 * draws.normal(index, (RATE,))).clamp(-1, 1), lengths[: len(index)], RATE)

    modality.write(batches(), folder, rows)
    y = torch.arange(rows) % AIM.classes
    return Split(modality.open(folder), y, y, clean_kinds(rows), torch.arange(rows), modality)


def state_of(attack: Attack[Waves], split: Split[Waves]) -> dict[str, torch.Tensor]:
    """Return what ``fit`` makes, or a sound in place of what a benign twin would choose."""
    if isinstance(attack, Daba):
        return {"sound": to_rms(sine(440, RATE, RATE))}
    return attack.fit(split, FitContext(AIM, Draws(0), torch.device("cpu")))


def trigger_rate(attack: Attack[Waves], split: Split[Waves], state: dict[str, torch.Tensor], repeats: int) -> float:
    """Return clips per second of the attack alone; each pass goes over all, so none is still in a cache."""
    chunks = [(split.take(at), context(split, at, state)) for at in split.chunks()]
    best = [float("inf")] * len(chunks)
    for _ in range(repeats):
        for n, (x, ctx) in enumerate(chunks):
            start = time.perf_counter()
            attack.poison(x, ctx)
            best[n] = min(best[n], time.perf_counter() - start)
    return len(split) / sum(best)


def context(split: Split[Waves], at: torch.Tensor, state: dict[str, torch.Tensor]) -> PoisonContext:
    """Return what an attack is told of rows."""
    kinds = torch.full((len(at),), int(RowKind.POISONED), dtype=torch.uint8)
    return PoisonContext(split.index[at], split.truth[at], at * 0, kinds, "train", AIM, Draws(0), state)


def stage_rate(attack: Attack[Waves], split: Split[Waves], state: dict[str, torch.Tensor], repeats: int) -> float:
    """Return poisoned clips per second of the whole stage."""
    best = float("inf")
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            poison(split, attack, AIM, RATIO, 0, state, clean_label=False).save(Path(folder))
            best = min(best, time.perf_counter() - start)
    return RATIO * len(split) / best


def read_rate(repeats: int) -> float:
    """Return files per second."""
    records = SpeechCommands().load("train", default_data_root())
    assert records is not None
    rows = torch.arange(len(records.y)).split(READ)
    best = [float("inf")] * len(rows)
    for _ in range(repeats):
        for n, at in enumerate(rows):
            start = time.perf_counter()
            records.read(at.numpy())
            best[n] = min(best[n], time.perf_counter() - start)
    return len(records.y) / sum(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"read: {read_rate(asked.repeats):,.0f} files/s, {FILES:,} wanted", flush=True)
    print(f"{'attack':<20}{'trigger, clips/s':>18}{'wanted':>10}{'stage, clips/s':>16}")
    with tempfile.TemporaryDirectory() as folder:
        split = split_of(asked.rows, Path(folder))
        for name, (attack, wanted) in ATTACKS.items():
            quick = split if wanted == ADDED else split.subset(torch.arange(asked.rows // 10))
            state = state_of(attack, quick)
            rates = [measure(attack, quick, state, asked.repeats) for measure in (trigger_rate, stage_rate)]
            least = f"{wanted:,}" if wanted else "-"
            print(f"{name:<20}{rates[0]:>18,.0f}{least:>10}{rates[1]:>16,.0f}", flush=True)


if __name__ == "__main__":
    main()
