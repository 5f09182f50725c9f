"""Strings as tensors, for what an attack's ``fit`` hands on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


def packed(strings: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return all strings as UTF-8 end to end, uint8 (total,), and where each ends, int64 (n,)."""
    raw = [s.encode() for s in strings]
    ends = torch.tensor([len(b) for b in raw], dtype=torch.int64).cumsum(0)
    return torch.from_numpy(np.frombuffer(b"".join(raw), dtype=np.uint8).copy()), ends


def unpacked(data: Tensor, ends: Tensor) -> list[str]:
    """Return the strings that ``packed`` made ``data`` and ``ends`` of."""
    raw, places = data.numpy().tobytes(), [0, *ends.tolist()]
    return [raw[a:b].decode() for a, b in pairwise(places)]
