"""The strokes that charts are made of: inline SVG in the page's colors, with colors of its own elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

INK, MUTED, RULE = "var(--ink,#1d2433)", "var(--muted,#5f6b7e)", "var(--rule,#e3e6eb)"
CLEAN, POISONED = "var(--clean,#2358d8)", "var(--poisoned,#c2410c)"
_SCALE = 1.25  # a chart is at most this much larger than its own units, so that its text keeps its size


def svg(label: str, width: float, height: float, parts: Sequence[str]) -> str:
    """Put parts into an image of this size, with a text for those who don't see it."""
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{_SCALE * width:.0f}px" font-family="system-ui,sans-serif" font-size="11">'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, anchor: str = "start", color: str = MUTED, style: str = "") -> str:
    """Write words, escaped, with their ``start``, ``middle`` or ``end`` at (x, y)."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="fill:{color};{style}">{escape(words)}</text>'


def stroke(path: str, color: str, width: float = 1, dash: str = "", opacity: float = 1) -> str:
    """Draw a path."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    style = f"stroke:{color};stroke-opacity:{opacity}"
    return f'<path d="{path}" fill="none" stroke-width="{width}" stroke-linejoin="round"{dashed} style="{style}"/>'


def dot(x: float, y: float, radius: float, color: str, *, hollow: bool = False) -> str:
    """Draw a dot."""
    style = f"fill:var(--card,#fff);stroke:{color};stroke-width:2" if hollow else f"fill:{color}"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" style="{style}"/>'
