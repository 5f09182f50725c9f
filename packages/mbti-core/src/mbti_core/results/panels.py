"""Tables as data: headings, cells, caption and notes, ready for any rendering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mbti_core.results.columns import (
    CONTEXT,
    COUNTS,
    DEFENSE_SETTINGS,
    FLOOR,
    MARKS,
    PARTS,
    SETTINGS,
    TITLES,
    TWIN,
    Column,
    Part,
)
from mbti_core.results.grouping import NO_DEFENSE, Cell, Group


@dataclass(frozen=True)
class Line:
    """One row of a panel.

    Attributes:
        cells: One per column of the panel.
        remarks: Marks, each with the number of its note, or 0 without one.
        victim: Changes where another attacked model begins.
        undefended: Whether it shows the model without a defense.
    """

    cells: tuple[Cell, ...]
    remarks: tuple[tuple[str, int], ...]
    victim: str
    undefended: bool


@dataclass(frozen=True)
class Panel:
    """One table.

    Attributes:
        title: What it shows.
        caption: What all its rows share, and the other tables don't.
        columns: Its columns; the first ``leading`` name the row.
        leading: Number of naming columns.
        lines: Its rows.
    """

    title: str
    caption: tuple[str, ...]
    columns: tuple[Column, ...]
    leading: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Panels:
    """All tables of a result.

    Attributes:
        caption: What all rows of all tables share.
        tables: Models, detection, verdicts, as far as there are any.
        legend: How numbers are written.
        marks: Each mark that occurs, and its meaning.
        notes: Reasons, numbered from 1 in ``Line.remarks``.
    """

    caption: tuple[str, ...]
    tables: tuple[Panel, ...]
    legend: str
    marks: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


_SEEDS = Column("seeds", "Seeds", "plain", "Number of seeds behind the row.")
_Lookup = Callable[[Group], Cell]


def make_panels(groups: Sequence[Group]) -> Panels:
    """Lay out one table each for models, detection and verdicts, as far as there are rows.

    A line without any number (unsupported, failed) stands where its defense has numbers, else with the models.
    """
    homes: dict[str, frozenset[Part]] = {}
    for group in groups:
        homes[group.defense] = homes.get(group.defense, frozenset()) | group.parts
    victims = {group.victim: group for group in groups if group.defense == NO_DEFENSE}
    notes = list(dict.fromkeys(reason for group in groups for _, reason in group.remarks if reason))
    tables = []
    for part in PARTS:
        members = [group for group in groups if part in (group.parts or homes[group.defense] or {"model"})]
        if members:
            tables.append(_panel(part, members, victims, notes))
    common = tuple(word for word in (tables[0].caption if tables else ()) if all(word in t.caption for t in tables))
    lines = [line for table in tables for line in table.lines]
    return Panels(
        caption=common,
        tables=tuple(replace(t, caption=tuple(word for word in t.caption if word not in common)) for t in tables),
        legend=_legend(lines),
        marks=tuple((mark, why) for mark, why in MARKS.items() if _occurs(mark, lines)),
        notes=tuple(notes),
    )


def _panel(part: Part, members: Sequence[Group], victims: Mapping[str, Group], notes: Sequence[str]) -> Panel:
    of_victim = COUNTS if part == "model" else (*COUNTS, *CONTEXT)
    settings, naming = _fixed([(column, _setting(column)) for column in (*SETTINGS, *DEFENSE_SETTINGS)], members)
    measured, values = _fixed(
        [(column, _of_victim(column, victims)) for column in of_victim]
        + [(column, _measured(column)) for column in PARTS[part]],
        members,
    )
    seeds = {group.seeds for group in members if group.done}
    if len(seeds) == 1:
        (names,) = seeds
        settings.append(f"seed{'s' if len(names) > 1 else ''} {', '.join(names)}")
    elif seeds:
        values.append((_SEEDS, _seeds))
    lines = tuple(
        Line(
            tuple(look(group) for _, look in (*naming, *values)),
            tuple((mark, notes.index(reason) + 1 if reason else 0) for mark, reason in group.remarks),
            group.victim,
            group.defense == NO_DEFENSE,
        )
        for group in members
    )
    columns = tuple(column for column, _ in (*naming, *values))
    return Panel(TITLES[part], (*settings, *measured), columns, len(naming), lines)


def _fixed(
    candidates: Sequence[tuple[Column, _Lookup]], members: Sequence[Group]
) -> tuple[list[str], list[tuple[Column, _Lookup]]]:
    """Split columns into words for the caption, where all values are equal, and columns that have any value."""
    words, shown = [], []
    for column, look in candidates:
        cells = {look(group) for group in members}
        alike = len(cells) == 1 or column.key != "variant"  # none of a row's own settings is a difference too
        cells -= {Cell()}
        if len(cells) == 1 and alike and column.caption:
            words += [column.caption.format(cell) for cell in cells if (column.key, cell.text) != ("noise", "none")]
        elif cells:
            shown.append((column, look))
    return words, shown


def _setting(column: Column) -> _Lookup:
    return lambda group: group.setting(column)


def _measured(column: Column) -> _Lookup:
    return lambda group: group.cell(column)


_TWINS = frozenset({FLOOR.key, TWIN.key})


def _of_victim(column: Column, victims: Mapping[str, Group]) -> _Lookup:
    def look(group: Group) -> Cell:
        if group.victim in victims and (cell := victims[group.victim].cell(column)) != Cell():
            return cell
        # A row of a repaired model has that one's numbers, which are not the victim's.
        own = column in COUNTS or column.key in _TWINS or "model" not in group.parts
        return group.cell(column) if own else Cell()

    return look


def _seeds(group: Group) -> Cell:
    done, planned = len(group.done), len(group.rows)
    return Cell(str(done) if done == planned else f"{done} of {planned}")


def _legend(lines: Sequence[Line]) -> str:
    cells = [cell for line in lines for cell in line.cells]
    words = ["Shares in %."] if lines else ["No results."]
    if any(cell.spread.startswith("±") for cell in cells):
        words.append("± is the standard deviation over seeds.")
    if any(cell.spread and not cell.spread.startswith("±") for cell in cells):
        words.append("Ranges are 95 % Wilson intervals.")
    return " ".join(words)


def _occurs(mark: str, lines: Sequence[Line]) -> bool:
    return any(text.startswith(mark) for line in lines for text, _ in line.remarks)
