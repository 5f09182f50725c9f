"""Counter-based randomness: a draw depends only on (seed, stream, sample index), never on order or batch size."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# The finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014), in the two's complement that torch computes in.
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Shift right without the sign: torch's shift of int64 is arithmetic."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def derive_seed(*parts: object) -> int:
    """Derive a 63-bit seed from any parts with a stable text form."""
    digest = hashlib.sha256("/".join(str(p) for p in parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@dataclass(frozen=True)
class Draws:
    """A stream of keyed draws. ``stream`` gives an independent one; every draw is a function of the row ids.

    Example:
        >>> draws = Draws(0)
        >>> ids = torch.arange(5)
        >>> bool((draws.uniform(ids, (2,))[3] == draws.uniform(ids[3:4], (2,))[0]).all())
        True
    """

    seed: int

    def stream(self, *name: object) -> Draws:
        """Return an independent stream, e.g. ``draws.stream("jitter", epoch)``."""
        return Draws(derive_seed(self.seed, *name))

    def bits(self, index: Tensor, shape: Sequence[int] = ()) -> Tensor:
        """Return (B, *shape) int64 of 64 random bits each; ``index`` (B,) int64."""
        size = math.prod(shape)
        row = _mix(index.to(torch.int64) * _GOLDEN + self.seed)
        cell = torch.arange(1, size + 1, dtype=torch.int64, device=index.device) * _GOLDEN
        return _mix(row[:, None] + cell).view(len(index), *shape)

    def uniform(self, index: Tensor, shape: Sequence[int] = ()) -> Tensor:
        """Return (B, *shape) float32 in [0, 1)."""
        return _shift(self.bits(index, shape), 40).to(torch.float32) * 2.0**-24

    def normal(self, index: Tensor, shape: Sequence[int] = ()) -> Tensor:
        """Return (B, *shape) float32 of mean 0 and variance 1 (Box-Muller on the two halves of 64 bits)."""
        bits = self.bits(index, shape)
        radius = (_shift(bits, 40).to(torch.float32) + 1.0).mul_(2.0**-24).log_().mul_(-2.0).sqrt_()
        return (bits & 0xFFFFFF).to(torch.float32).mul_(2.0 * math.pi * 2.0**-24).cos_().mul_(radius)

    def integers(self, index: Tensor, high: int, shape: Sequence[int] = ()) -> Tensor:
        """Return (B, *shape) int64 in [0, high)."""
        return _shift(self.bits(index, shape), 33) * high >> 31

    def permutation(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return a permutation of range(n)."""
        return torch.argsort(self.bits(torch.arange(n, device=device)), stable=True)

    def generator(self) -> np.random.Generator:
        """Return a numpy generator for Python-level work (Philox, keyed by the seed)."""
        return np.random.Generator(np.random.Philox(key=self.seed))


@contextmanager
def scoped_globals(seed: int) -> Iterator[None]:
    """Seed the global generators of random, numpy and torch inside the block, and restore them after it."""
    state, legacy = random.getstate(), np.random.get_state()
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if started else []):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(state)
            np.random.set_state(legacy)
