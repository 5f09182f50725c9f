"""Panels as HTML: one table each, with captions and scopes, escaped."""

from __future__ import annotations

from functools import cache
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from mbti_core.results.columns import SETTINGS
from mbti_core.results.panels import Line, Panel, Panels

_OF_VICTIM = frozenset(column.key for column in SETTINGS)


def tables_html(panels: Panels) -> str:
    """Return the tables with their notes as an HTML fragment."""
    return templates().get_template("tables.html").render(panels=panels)


@cache
def templates() -> Environment:
    """Return the templates of the report, with escaping on."""
    environment = Environment(
        loader=PackageLoader("mbti_core", "results/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["by_victim"] = _by_victim
    environment.filters["shared_columns"] = _shared_columns
    environment.filters["heading"] = lambda text: text.replace("-\n", "").replace("\n", " ")
    return environment


def _by_victim(panel: Panel) -> list[list[Line]]:
    return [list(lines) for _, lines in groupby(panel.lines, key=lambda line: line.victim)]


def _shared_columns(panel: Panel) -> int:
    """Count the leading columns that say the same of all defenses of one attacked model."""
    return sum(column.key in _OF_VICTIM for column in panel.columns[: panel.leading])
