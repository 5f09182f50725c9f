"""Rows that differ only in their seed become one line: mean and standard deviation, or one seed's interval."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mbti_core.results.columns import DASH, DEFENSE_SETTINGS, MARKS, SETTINGS, Column, Part, Row
from mbti_core.results.statistics import mean_sd

NO_DEFENSE = "none"
_OVER_POSITIVES = frozenset({"recall", "detection_precision", "f1"})


@dataclass(frozen=True)
class Cell:
    """What stands in one cell.

    Attributes:
        text: The value; a dash where there is none.
        spread: Standard deviation over seeds, or the interval of a single seed; may be empty.
        share: The value in [0, 1], for a bar behind it; None where it is no share.
    """

    text: str = DASH
    spread: str = ""
    share: float | None = None

    def __str__(self) -> str:
        """Return value and spread on one line."""
        if not self.spread:
            return self.text
        return f"{self.text} {self.spread}" if self.spread.startswith("±") else f"{self.text} ({self.spread})"


@dataclass(frozen=True)
class Group:
    """Rows of one setting and defense, one per seed."""

    rows: tuple[Row, ...]

    @property
    def victim(self) -> str:
        """A key of the attacked model, equal for all its defenses."""
        return _identity(self.rows[0], SETTINGS)

    @property
    def defense(self) -> str:
        """The defense's name."""
        return str(self.rows[0].get("defense") or NO_DEFENSE)

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seeds that have a result."""
        return tuple(str(row.get("seed")) for row in self.done)

    @property
    def done(self) -> tuple[Row, ...]:
        """The rows that have a result."""
        return tuple(row for row in self.rows if row.get("status", "ok") == "ok")

    @property
    def parts(self) -> frozenset[Part]:
        """In which tables the group has numbers."""
        if self.defense == NO_DEFENSE:
            return frozenset({"model"})
        # A detector's row repeats the accuracy and ASR of the model it leaves as it is; only a changed one has a DER.
        found: set[Part] = {"detection"} if self.values("detection_accuracy") else set()
        found |= {"verdict"} if self.values("verdict") else set()
        if self.values("der") or (self.values("clean_accuracy") and not found):
            found.add("model")
        return frozenset(found)

    def values(self, key: str) -> list[object]:
        """Return what the rows with a result have under ``key``, without None."""
        return [
            row[key]
            for row in self.done
            if row.get(key) is not None and not (key in _OVER_POSITIVES and row.get("n_poisoned_scored") == 0)
        ]

    def mean(self, key: str) -> tuple[float, float | None] | None:
        """Return mean and standard deviation over seeds; None without a number."""
        numbers = [float(value) for value in self.values(key) if isinstance(value, (int, float))]
        return mean_sd(numbers) if numbers else None

    def interval(self, key: str) -> tuple[float, float] | None:
        """Return the interval that a single seed's row has for a share."""
        if len(self.done) != 1 or self.done[0].get(f"{key}_low") is None or self.done[0].get(f"{key}_high") is None:
            return None
        return float(self.done[0][f"{key}_low"]), float(self.done[0][f"{key}_high"])

    def setting(self, column: Column) -> Cell:
        """Return a setting, which is the same in all rows."""
        value = self.rows[0].get(column.key)
        if value is None:
            return Cell()
        return Cell(number(value, column) if column.form == "count" else str(value))

    def cell(self, column: Column) -> Cell:
        """Return what stands under a column."""
        values = self.values(column.key)
        if not values:
            return Cell()
        if column.form == "flag":
            return Cell(_flags(values))
        if column.form in ("list", "plain"):
            return Cell(_listed(values))
        mean, sd = self.mean(column.key) or (0.0, None)
        share = mean if column.form in ("percent", "fraction") else None
        return Cell(number(mean, column), self._spread(column, sd), share)

    def _spread(self, column: Column, sd: float | None) -> str:
        if column.form in ("count", "seconds"):
            return ""
        if sd is not None:
            return f"±{number(sd, column).lstrip('+')}"
        interval = self.interval(column.key)
        return f"{number(interval[0], column)}{DASH}{number(interval[1], column)}" if interval else ""

    @property
    def remarks(self) -> list[tuple[str, str]]:
        """What a reader must know about this line: a mark, and a reason where the rows have one."""
        keys = {mark: mark.replace(" ", "_") for mark in MARKS}
        found = [
            (mark + _of(sum(bool(row.get(key)) for row in self.rows), len(self.rows)), "")
            for mark, key in keys.items()
            if any(row.get(key) for row in self.rows)
        ]
        undone = [row for row in self.rows if row not in self.done]
        for status, reason in dict.fromkeys((str(row["status"]), str(row.get("reason") or "")) for row in undone):
            count = sum(row["status"] == status and (row.get("reason") or "") == reason for row in undone)
            found.append((status + _of(count, len(self.rows)), reason))
        return found


def group_rows(rows: Iterable[Row]) -> list[Group]:
    """Group rows by everything but the seed; defenses of one victim stand together, the undefended model first.

    Rows of equal description and seed differ in a setting that no column shows: each is a group, never averaged.
    """
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(_identity(row, (*SETTINGS, *DEFENSE_SETTINGS)), []).append(row)
    groups: list[Group] = []
    for members in found.values():
        clash = len({row.get("seed") for row in members}) < len(members)
        groups += [Group((row,)) for row in members] if clash else [Group(tuple(members))]
    place = {victim: place for place, victim in enumerate(dict.fromkeys(group.victim for group in groups))}
    return sorted(groups, key=lambda group: (place[group.victim], group.defense != NO_DEFENSE))


def number(value: float, column: Column) -> str:
    """Write a number in the form of its column."""
    match column.form:
        case "percent":
            return f"{100 * value:.1f}"
        case "points":
            return f"{100 * value:+.1f}"
        case "fraction":
            return f"{value:.3f}"
        case "count":
            return f"{value:,.0f}"
        case "seconds":
            return f"{value:.1f} s" if value < 60 else f"{value / 60:.1f} min"
        case _:
            return f"{value:.2f}"


def _identity(row: Row, columns: Sequence[Column]) -> str:
    return json.dumps([row.get("modality"), *(row.get(column.key) for column in columns)])


def _flags(values: Sequence[object]) -> str:
    if len(values) == 1:
        return "yes" if values[0] else "no"
    return f"{sum(bool(value) for value in values)} of {len(values)}"


def _listed(values: Sequence[object]) -> str:
    tables = [value for value in values if isinstance(value, dict)]
    if tables:
        means = {name: sum(t[name] for t in tables) / len(tables) for name in tables[0]}
        return ", ".join(f"{name.upper()} {mean:.3g}" for name, mean in means.items())
    texts = [", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value) for value in values]
    return "; ".join(dict.fromkeys(text or DASH for text in texts))


def _of(count: int, total: int) -> str:
    return "" if count == total else f" ({count} of {total})"
