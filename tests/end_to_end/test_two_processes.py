"""Two processes with the same experiment on one store: both finish with the same rows, and every stage is made once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mbti_core.engine.store import Store
from mbti_core.testing.toy_plugin import EXTRA

PROGRAM = """
import json, sys
from mbti_core.api import run

SPEC = {"modality": "toy", "dataset": "blobs", "attack": "stamp", "model": "conv", "train": {"epochs": 6, "lr": 0.05},
        "defenses": ["outlier", "retune"]}

if __name__ == "__main__":
    results = run(SPEC, store=sys.argv[1], device="cpu", threads=1, report=True)
    assert not results.failures, results.failures
    print(json.dumps(results.rows))
"""


@pytest.mark.timeout(180)
def test_two_processes_share_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", EXTRA)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    one, other = (json.loads(process.communicate()[0]) for process in both)
    assert one == other
    assert len(one) == 3
    store = Store(tmp_path)
    assert store.verify() == []
    assert store.parts() == []
