"""Panels on a terminal, split where they are wider than it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mbti_core.results.grouping import Cell
from mbti_core.results.panels import Panel, Panels

_NAME_WIDTH = 20  # remarks stand under the defense's name and wrap there


@dataclass(frozen=True)
class TerminalTables:
    """Renders panels within the width of the console it is printed on."""

    panels: Panels

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[RenderableType]:
        """Yield what all rows share, each table in as many pieces as the width asks for, and the notes."""
        panels = self.panels
        if panels.caption:
            yield _dim(" · ".join(panels.caption))
            yield ""
        for panel in panels.tables:
            yield Text(panel.title, style="bold")
            if panel.caption:
                yield _dim(" · ".join(panel.caption))
            yield ""
            for piece in _pieces(panel, console, options):
                yield piece
                yield ""
        yield _dim(panels.legend)
        for mark, meaning in panels.marks:
            yield _dim(f"{mark}: {meaning}")
        for place, note in enumerate(panels.notes, start=1):
            yield _dim(f"[{place}] {note}")


def _pieces(panel: Panel, console: Console, options: ConsoleOptions) -> Iterable[Table]:
    """Cut the value columns into tables that fit beside the naming columns; set them closer before cutting."""
    unbounded = options.update(max_width=10_000)
    wanted = [place for place, column in enumerate(panel.columns) if place >= panel.leading and column.terminal]
    while wanted:
        for count, gap in ((count, gap) for count in range(len(wanted), 0, -1) for gap in (1, 0)):
            piece = _table(panel, wanted[:count], gap)
            if count == 1 or Measurement.get(console, unbounded, piece).maximum <= options.max_width:
                break
        yield piece
        wanted = wanted[count:]


def _table(panel: Panel, places: Sequence[int], gap: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    shown = [*range(panel.leading), *places]
    for place in shown:
        naming = place < panel.leading
        table.add_column(
            panel.columns[place].heading,
            justify="left" if naming else "right",
            no_wrap=not naming,
            max_width=_NAME_WIDTH if naming else None,
        )
    for line, after in zip(panel.lines, [*panel.lines[1:], None], strict=True):
        cells = [_cell(line.cells[place]) for place in shown]
        for mark, note in line.remarks:
            cells[panel.leading - 1].append(f"\n{mark} [{note}]" if note else f"\n{mark}", style="yellow")
        table.add_row(*cells, end_section=after is not None and after.victim != line.victim)
    return table


def _dim(text: str) -> Text:
    return Text(text, style="dim")


def _cell(cell: Cell) -> Text:
    text = Text(cell.text, style="dim" if cell == Cell() else "")
    return text.append(f"\n{cell.spread}", style="dim") if cell.spread else text
