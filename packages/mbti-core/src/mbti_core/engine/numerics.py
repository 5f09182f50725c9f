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
def _processor(fact: str) -> str:
    """Return what the system says of its first processor, or an empty string."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(fact)), "")


def cpu_gains_from_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware; read from its flags, never from a timing."""
    return bool(_BF16_FLAGS & set(_processor("flags").split()))


def choose_precision(asked: str, traits: Collection[str], device: str) -> str:
    """Return ``fp32`` or ``bf16``: as asked, or by a table of processor and model.

    Args:
        asked: ``auto``, ``fp32`` or ``bf16``.
        traits: The model component's; ``bf16`` says that it gains (depthwise convolutions lose on a CPU).
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


def choose_threads(traits: Collection[str]) -> int:
    """Return the threads of a stage, by a table: the same in each executor, so that equal keys give equal bits.

    A large model takes all cores, up to 8. All else takes one: a small step gains little from a second thread (0.6
    against 0.8 s for a training on the embedded digits), and loses a hundredfold where another process holds the core.

    Args:
        traits: Of the model that the stage runs; empty if it runs none.
    """
    return min(8, cores()) if "large" in traits else 1


def numerics(device: torch.device) -> dict[str, Any]:
    """Return what is recorded beside every artifact."""
    import torch  # noqa: PLC0415 - only a run needs it

    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": str(device),
        "device_name": gpu or _processor("model name") or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "isa": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }
