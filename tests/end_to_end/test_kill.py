"""kill -9 at a random moment, then the same command: it finishes, redoes at most one epoch, and gives the same bits."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mbti_core.engine.store import Store
from mbti_core.testing.toy_plugin import EXTRA

SPEC = """
modality: toy
dataset: blobs
attack: {name: stamp}
model: conv
train: {epochs: 12, lr: 0.05, batch_size: 64}
defenses: [outlier, retune]
"""
# Epochs are counted by a file, since the killed process cannot tell.
PROGRAM = """
import sys
from pathlib import Path
from mbti_core.api import run

class Listener:
    def stage_started(self, node): print("start", flush=True)
    def stage_finished(self, node, seconds, cached): pass
    def stage_failed(self, node, error): print(repr(error), file=sys.stderr)
    def epoch(self, node, done, total):
        with open(sys.argv[3], "a") as log:
            log.write(f"{node.key} {done}\\n")

if __name__ == "__main__":
    results = run(sys.argv[1], store=sys.argv[2], device="cpu", threads=1, report=False, listener=Listener())
    sys.exit(1 if results.failures else 0)
"""
SAME = ("seconds",)


def command(folder: Path, store: Path) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(folder / "spec.yaml"), str(store), str(folder / f"{store.name}.log")]


def bits(store: Path) -> dict[str, dict[str, str]]:
    """Digests of every file of every artifact; rows without how long they took."""
    found = {}
    for ref in Store(store).artifacts():
        files = dict(Store(store).manifest(ref.stage, ref.key)["files"])
        if ref.stage == "evaluate":
            row: dict[str, Any] = json.loads((ref.folder / "row.json").read_text())
            files["row.json"] = json.dumps({k: v for k, v in row.items() if k not in SAME}, sort_keys=True)
        found[ref.name] = files
    return found


def undisturbed(folder: Path) -> tuple[dict[str, dict[str, str]], int]:
    """Run once without a disturbance; return its bits, and how many epochs it has."""
    subprocess.run(command(folder, folder / "whole"), check=True, stdout=subprocess.DEVNULL)
    return bits(folder / "whole"), len(epochs(folder, "whole"))


def epochs(folder: Path, name: str) -> list[str]:
    log = folder / f"{name}.log"
    return log.read_text().splitlines() if log.exists() else []


def kill_and_go_on(folder: Path, name: str, after: int, delay: float) -> bool:
    """Kill a run so many seconds after so many epochs; say whether it was still at work; then finish it."""
    store = folder / name
    with subprocess.Popen(command(folder, store), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # its first stage starts
        while len(epochs(folder, name)) < after and process.poll() is None:
            time.sleep(0.002)
        time.sleep(delay)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
    subprocess.run(command(folder, store), check=True, stdout=subprocess.DEVNULL)
    return alive


def trial(folder: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", EXTRA)
    (folder / "spec.yaml").write_text(SPEC)
    expected, total = undisturbed(folder)
    pick = random.Random(os.getpid())
    hits = 0
    for number in range(times):
        name = f"cut{number}"
        hits += kill_and_go_on(folder, name, pick.randrange(total), pick.uniform(0.0, 0.2))
        assert bits(folder / name) == expected
        done = epochs(folder, name)
        assert len(done) <= len(set(done)) + 1, "at most one epoch is done twice"
        assert Store(folder / name).parts() == []
        assert Store(folder / name).verify() == []
    assert hits, "no kill came in time"


@pytest.mark.timeout(300)
def test_killed_runs_finish_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial(tmp_path, monkeypatch, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_killed_runs_finish_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial(tmp_path, monkeypatch, 20)
