"""Comparing batches of any modality: by what would be stored of them, and by their numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.modality import Modality
from mbti_core.contracts.model import InputSpec
from mbti_core.data.rng import Draws

_NUMBERS = 8
_DIFFER = 1e-3


def digest(x: Any, modality: Modality[Any]) -> str:
    """Return the sha256 of what the modality stores of a batch: equal batches, equal digests."""
    total = hashlib.sha256()
    with tempfile.TemporaryDirectory() as name:
        modality.write([x], Path(name), len(x))
        for file in sorted(Path(name).rglob("*")):
            if file.is_file():
                total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def rows_of(x: Any, modality: Modality[Any]) -> list[str]:
    """Return the digest of each row of a batch."""
    return [digest(modality.select(x, torch.tensor([row])), modality) for row in range(len(x))]


def difference(x: Any, y: Any) -> float:
    """Return how far two batches of equal form lie apart: mean absolute difference of their numbers.

    Of texts, it is the mean share of their characters that stand in no common stretch.
    """
    if isinstance(x, list) and x and all(isinstance(text, str) for text in x):
        pairs = zip(x, y, strict=True)
        return sum(1 - SequenceMatcher(None, a, b, autojunk=False).ratio() for a, b in pairs) / len(x)
    a, b = numbers(x), numbers(y)
    if len(a) != len(b):
        return float("inf")
    return float((a - b).abs().mean()) if len(a) else 0.0


def numbers(x: Any) -> Tensor:
    """Return everything numeric in a batch as one float64 vector; a text is its code points."""
    return torch.cat([torch.zeros(0, dtype=torch.float64), *(t.double().flatten() for t in _tensors(x))])


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x.detach().cpu()
    elif isinstance(x, str):
        yield torch.tensor([ord(c) for c in x], dtype=torch.float64)
    elif dataclasses.is_dataclass(x):
        for field in dataclasses.fields(x):
            yield from _tensors(getattr(x, field.name))
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _tensors(item)


def fingerprint(x: Any) -> list[float]:
    """Return eight sums of a batch's numbers with fixed weights, scaled by the square root of their count.

    Unlike a digest, they hold on a machine that rounds one pixel in a thousand otherwise.
    """
    values = numbers(x)
    weights = 2 * Draws(0).stream("fingerprint").uniform(torch.arange(len(values)), (_NUMBERS,)).double() - 1
    sums = (values[:, None] * weights).sum(0) / max(1, len(values)) ** 0.5
    return [float(f"{s:.6g}") for s in sums.tolist()]


def alike(one: list[float], other: list[float]) -> bool:
    """Tell whether two fingerprints agree within a thousandth of their length."""
    a, b = torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64)
    return len(a) == len(b) and float((a - b).norm()) <= _DIFFER * max(float(a.norm()), 1e-9)


def form_problem(before: Any, after: Any, spec: InputSpec) -> str:
    """Say in what ``after`` has another type, number of rows, shape or range than ``before``; empty if in nothing."""
    kind: type[Any] = list if isinstance(before, list) else type(before)  # texts may remember their tokens
    if not isinstance(after, kind):
        return f"expected a {type(before).__name__}, got a {type(after).__name__}"
    if len(after) != len(before):
        return f"expected {len(before)} rows, got {len(after)}"
    if isinstance(before, Tensor):
        return _tensor_problem(before, after, spec)
    for a, b in zip(_tensors(before), _tensors(after), strict=False):
        if a.dtype != b.dtype or a.dim() != b.dim():
            return f"expected {a.dtype} with {a.dim()} axes, got {b.dtype} with {b.dim()}"
        if not isinstance(before, list) and b.is_floating_point() and (problem := _range_problem(b, spec)):
            return problem
    return ""


def _tensor_problem(before: Tensor, after: Tensor, spec: InputSpec) -> str:
    if after.dtype != before.dtype:
        return f"expected {before.dtype}, got {after.dtype}"
    if after.shape != before.shape:
        return f"expected the shape {tuple(before.shape)}, got {tuple(after.shape)}"
    return _range_problem(after, spec)


def _range_problem(x: Tensor, spec: InputSpec) -> str:
    values = x.double()
    if not bool(values.isfinite().all()):
        return "expected finite numbers, got NaN or infinity"
    if len(x) and (float(values.min()) < spec.low or float(values.max()) > spec.high):
        return (
            f"expected values in [{spec.low:g}, {spec.high:g}], got [{float(values.min()):g}, {float(values.max()):g}]"
        )
    return ""
