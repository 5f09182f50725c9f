"""Curves over epochs and histograms of scores, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mbti_core.results.drawing import CLEAN, INK, MUTED, POISONED, RULE, dot, stroke, svg, text

_WIDTH, _LEFT, _RIGHT, _TOP = 400, 40, 12, 44
_BINS = 40
_LINES = ("#2358d8", "#c2410c", "#0b7a60", "#8427d6", "#94660a", "#55627a")
_DASHES = ("", "6 3", "2 3", "9 3 2 3")  # neighbors differ without color, too
_DOTTED = 30  # with more epochs than this the dots would run together


@dataclass(frozen=True)
class _Axis:
    """A linear map from values to pixels, with ticks at round values."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int, whole: bool = False) -> Iterator[float]:
        raw = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(size * power for size in (1, 2, 5, 10) if size * power >= raw * 0.999)
        step = max(step, 1.0) if whole else step
        for count in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1):
            yield count * step


def curve_svg(series: Mapping[str, Sequence[float]], title: str, y_label: str) -> str:
    """Draw one line per series over epochs 1, 2, ...; values that are not finite leave a gap.

    Args:
        series: Values per epoch by name.
        title: Heading of the chart.
        y_label: What the vertical axis shows.

    Returns:
        An ``<svg>`` element.
    """
    finite = [value for values in series.values() for value in values if math.isfinite(value)] or [0.0]
    low, high = min(0.0, *finite), max(0.0, *finite)
    epochs = max(map(len, series.values()), default=1)
    bottom = _TOP + 160
    x = _Axis(1, max(epochs, 2), _LEFT, _WIDTH - _RIGHT)
    y = _Axis(low, high if high > low else low + 1, bottom, _TOP)
    parts = [
        *_head(title, y_label),
        *_grid(x, y, bottom, whole=True),
        text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 32, "epoch", "middle"),
    ]
    for place, (name, values) in enumerate(series.items()):
        color = f"var(--line-{place % len(_LINES)},{_LINES[place % len(_LINES)]})"
        dash = _DASHES[place % len(_DASHES)]
        parts += _line(x, y, values, color, dash)
        height = bottom + 54 + 16 * place
        parts += [stroke(f"M{_LEFT},{height - 4}h22", color, 2, dash), text(_LEFT + 30, height, name)]
    label = f"{title}: {', '.join(series)} over {epochs} epochs"
    return svg(label, _WIDTH, bottom + 46 + 16 * len(series), parts)


def histogram_svg(clean: Sequence[float], poisoned: Sequence[float], threshold: float | None) -> str:
    """Draw how the scores of clean and poisoned rows are spread, each as shares of its own rows.

    Args:
        clean: Finite scores of clean rows.
        poisoned: Finite scores of poisoned rows; may be empty.
        threshold: Rows above it are flagged; None for a rule that is no threshold.

    Returns:
        An ``<svg>`` element.
    """
    marks = [] if threshold is None or not math.isfinite(threshold) else [threshold]
    everything = [*clean, *poisoned, *marks] or [0.0]
    low, high = min(everything), max(everything)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    shares = [_shares(values, low, high) for values in (clean, poisoned)]
    bottom = _TOP + 130
    x = _Axis(low, high, _LEFT, _WIDTH - _RIGHT)
    y = _Axis(0, max(max(share, default=0.0) for share in shares) or 1.0, bottom, _TOP + 8)
    parts = [*_head("", "% of rows"), *_grid(x, y, bottom, scale=100)]
    right, middle = _WIDTH - _RIGHT, (_LEFT + _WIDTH - _RIGHT) / 2
    names = ((f"clean, {len(clean):,} rows", CLEAN), (f"poisoned, {len(poisoned):,} rows", POISONED))
    for place, ((name, color), share) in enumerate(zip(names, shares, strict=True)):
        if share:
            parts += [_steps(share, x, y, color), text(right, 14 + 15 * place, name, "end", color, "font-weight:600")]
    for mark in marks:
        at, anchor = x(mark), "end" if x(mark) > middle else "start"
        parts.append(stroke(f"M{at:.1f},{_TOP - 4}V{bottom}", INK, dash="4 3"))
        parts.append(text(at + (-5 if anchor == "end" else 5), _TOP + 4, f"threshold {mark:.3g}", anchor, INK))
    parts.append(text(middle, bottom + 32, "score, higher is more suspicious", "middle"))
    threshold_told = "".join(f", threshold {mark:.3g}" for mark in marks)
    label = f"Scores of {len(clean)} clean and {len(poisoned)} poisoned rows{threshold_told}"
    return svg(label, _WIDTH, bottom + 40, parts)


def _shares(values: Sequence[float], low: float, high: float) -> list[float]:
    if not values:
        return []
    counts = [0] * _BINS
    for value in values:
        counts[min(int((value - low) / (high - low) * _BINS), _BINS - 1)] += 1
    return [count / len(values) for count in counts]


def _steps(share: Sequence[float], x: _Axis, y: _Axis, color: str) -> str:
    width = (x.end - x.start) / len(share)
    stairs = "".join(f"V{y(value):.1f}h{width:.3f}" for value in share)
    path = f"M{x.start:.1f},{y.start:.1f}{stairs}V{y.start:.1f}"
    return f'<path d="{path}" stroke-width="1.5" style="fill:{color};fill-opacity:.22;stroke:{color}"/>'


def _line(x: _Axis, y: _Axis, values: Sequence[float], color: str, dash: str) -> Iterator[str]:
    path, pen = "", "M"
    for place, value in enumerate(values, start=1):
        if not math.isfinite(value):
            pen = "M"
            continue
        path += f"{pen}{x(place):.1f},{y(value):.1f}"
        pen = "L"
        if len(values) <= _DOTTED:
            yield dot(x(place), y(value), 2.2, color)
    yield stroke(path, color, 2, dash)


def _grid(x: _Axis, y: _Axis, bottom: float, *, whole: bool = False, scale: float = 1) -> Iterator[str]:
    for value in y.ticks(4):
        yield stroke(f"M{_LEFT},{y(value):.1f}H{_WIDTH - _RIGHT}", RULE)
        yield text(_LEFT - 7, y(value) + 4, f"{value * scale:.3g}", "end")
    for value in x.ticks(5, whole):
        yield text(x(value), bottom + 16, f"{value:.3g}", "middle")
    yield stroke(f"M{_LEFT},{bottom}H{_WIDTH - _RIGHT}", MUTED)


def _head(title: str, y_label: str) -> Iterator[str]:
    if title:
        yield text(0, 14, title, color=INK, style="font-weight:600;font-size:12.5px")
    yield text(0, 32 if title else 14, y_label)
