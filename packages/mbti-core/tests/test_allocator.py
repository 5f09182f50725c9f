"""The allocator keeps what is freed: blocks of more than 32 MB, its own bound, are faulted in once."""

from __future__ import annotations

import subprocess
import sys

import pytest

_COUNT = """
import resource, sys, torch
from mbti_core.engine.allocator import keep_freed_memory
told = sys.argv[1] == "told" and keep_freed_memory()
def step():
    a, b = torch.ones(16_000_000), torch.ones(12_000_000)
for _ in range(3):
    step()
counts = []
for _ in range(21):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(told, sorted(counts)[10])
"""


def faults(asked: str) -> tuple[str, int]:
    """Return what was said, and the page faults of the median step: a few let the heap grow before it settles."""
    done = subprocess.run([sys.executable, "-c", _COUNT, asked], capture_output=True, text=True, check=True)
    told, count = done.stdout.split()
    return told, int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc's allocator can be told")
def test_a_step_s_blocks_are_faulted_in_once() -> None:
    told, kept = faults("told")
    if told != "True":
        pytest.skip("this C library has no mallopt")
    assert kept < faults("not told")[1] / 10
