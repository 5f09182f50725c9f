"""What can change bits besides the key: device, threads, precision, library versions, instruction set."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.errors import ConfigError

if TYPE_CHECKING:
    import torch

_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


@cache
def cpu_gains_from_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware; read from its flags, never from a timing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_BF16_FLAGS & set(flags.split()))


def choose_precision(asked: str, traits: Collection[str], device: str) -> str:
    """Return ``fp32`` or ``bf16``: as asked, or by a table of processor and model.

    Args:
        asked: ``auto``, ``fp32`` or ``bf16``.
        traits: The model component's; ``bf16`` says that it is large enough to gain.
        device: Where it will compute.
    """
    if asked != "auto":
        return asked
    return "bf16" if "bf16" in traits and (device.startswith("cuda") or cpu_gains_from_bf16()) else "fp32"


def choose_device(asked: str) -> str:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: If the device does not exist here.
    """
    import torch  # noqa: PLC0415 - only a run needs it

    if asked == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    count = torch.cuda.device_count()
    known = {"cpu"} | ({"cuda"} if count else set()) | {f"cuda:{i}" for i in range(count)}
    if asked not in known:
        raise ConfigError(
            f"--device: expected auto or one of {', '.join(sorted(known))}, got {asked!r}.", "Use --device auto."
        )
    return asked


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return the threads of every stage: the same in each executor, so that equal keys give equal bits."""
    return min(8, cores())


def numerics(device: torch.device) -> dict[str, Any]:
    """Return what is recorded beside every artifact."""
    import torch  # noqa: PLC0415 - only a run needs it

    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": str(device),
        "device_name": gpu or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "isa": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }
