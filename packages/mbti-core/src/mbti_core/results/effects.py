"""What each defense changes, drawn: attack success and clean accuracy before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbti_core.results.drawing import CLEAN, INK, POISONED, RULE, dot, stroke, svg, text
from mbti_core.results.grouping import NO_DEFENSE, Group

_WIDTH, _ROW, _TOP = 440, 38, 54
_MOST = 40  # more lines than this are a table's job


def effects_svg(groups: Sequence[Group]) -> str:
    """Draw a line per repaired model; an empty string where there is none, or too many to read.

    Args:
        groups: The groups of a result table.

    Returns:
        An ``<svg>`` element, or nothing.
    """
    before = {group.victim: group for group in groups if group.defense == NO_DEFENSE}
    pairs = [
        (before[group.victim], group)
        for group in groups
        if "model" in group.parts and group.defense != NO_DEFENSE and group.victim in before and group.mean("der")
    ]
    if not 0 < len(pairs) <= _MOST:
        return ""
    several = len({group.victim for _, group in pairs}) > 1
    names = [f"{group.rows[0].get('attack')}, {group.defense}" if several else group.defense for _, group in pairs]
    left = min(200.0, 22 + 6.2 * max(map(len, names)))
    bottom = _TOP + _ROW * len(pairs)
    parts = [*_legend(left), *_scale(left, bottom)]
    for place, (name, (victim, group)) in enumerate(zip(names, pairs, strict=True)):
        middle = _TOP + _ROW * place + _ROW / 2
        parts.append(text(left - 14, middle + 4, name, "end", INK))
        for key, color, shift in (("asr", POISONED, -6), ("clean_accuracy", CLEAN, 6)):
            parts += _change(victim, group, key, color, left, middle + shift)
    told = "; ".join(f"{name}: {_told(victim, group)}" for name, (victim, group) in zip(names, pairs, strict=True))
    return svg(f"Attack success and clean accuracy before and after each defense. {told}", _WIDTH, bottom + 28, parts)


def _change(victim: Group, group: Group, key: str, color: str, left: float, y: float) -> Iterator[str]:
    start, end = victim.mean(key), group.mean(key)
    if start is None or end is None:
        return
    x1, x2 = (_x(share, left) for share in (start[0], end[0]))
    yield from (stroke(f"M{x1:.1f},{y:.1f}H{x2:.1f}", color, 2, opacity=0.45), dot(x1, y, 4, color, hollow=True))
    yield dot(x2, y, 5, color)


def _scale(left: float, bottom: float) -> Iterator[str]:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _x(share, left)
        yield stroke(f"M{x:.1f},{_TOP - 6}V{bottom}", RULE)
        yield text(x, bottom + 18, f"{100 * share:.0f}{' %' if share == 1 else ''}", "middle")


def _legend(left: float) -> Iterator[str]:
    for y, name, color in ((14, "attack success rate", POISONED), (32, "clean accuracy", CLEAN)):
        yield from (stroke(f"M{left},{y - 4}h34", color, 2, opacity=0.45), dot(left, y - 4, 4, color, hollow=True))
        yield from (dot(left + 34, y - 4, 5, color), text(left + 48, y, f"{name}: before, after", color=INK))


def _x(share: float, left: float) -> float:
    return left + share * (_WIDTH - 24 - left)


def _told(victim: Group, group: Group) -> str:
    words = []
    for name, key in (("ASR", "asr"), ("clean accuracy", "clean_accuracy")):
        start, end = victim.mean(key), group.mean(key)
        if start and end:
            words.append(f"{name} {100 * start[0]:.1f} % to {100 * end[0]:.1f} %")
    return ", ".join(words)
