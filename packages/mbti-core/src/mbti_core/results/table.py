"""The result table: the same numbers for a terminal, Markdown, HTML and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mbti_core.results.columns import COUNTS, DEFENSE_SETTINGS, PARTS, SETTINGS, Row
from mbti_core.results.grouping import Group, group_rows
from mbti_core.results.panels import Panels, make_panels

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class ResultTable:
    """Result rows, grouped over seeds.

    Every table that shows an attack shows its benign twin and the floor beside it, the number of rows and seeds, and
    marks failed attacks and constant predictors; lines without numbers give their reason.

    Attributes:
        rows: One dict per experiment, seed and defense; keys as in ``columns.ROW_KEYS``.
    """

    rows: Sequence[Row]

    @cached_property
    def groups(self) -> list[Group]:
        """The rows, grouped over seeds."""
        return group_rows(self.rows)

    @cached_property
    def panels(self) -> Panels:
        """The tables as data: models, detection, verdicts, as far as there are any."""
        return make_panels(self.groups)

    def rich(self) -> RenderableType:
        """Return something for ``rich.console.Console.print``, which fits the width of the console."""
        from mbti_core.results.terminal import TerminalTables  # noqa: PLC0415 - rich is not needed by the other forms

        return TerminalTables(self.panels)

    def markdown(self) -> str:
        """Return Markdown."""
        from mbti_core.results.markdown import to_markdown  # noqa: PLC0415 - as above

        return to_markdown(self.panels)

    def html(self) -> str:
        """Return an HTML fragment of tables, escaped, without styles."""
        from mbti_core.results.markup import tables_html  # noqa: PLC0415 - jinja2 is not needed by the other forms

        return tables_html(self.panels)

    def records(self) -> list[dict[str, Any]]:
        """Return one dict per line: settings, seeds, and numbers; ``_sd`` or ``_low`` and ``_high`` where defined."""
        return [_record(group) for group in self.groups]


def _record(group: Group) -> dict[str, Any]:
    first = group.rows[0]
    record: dict[str, Any] = {key: first.get(key) for key in ("name", "modality")}
    record |= {column.key: first.get(column.key) for column in (*SETTINGS, *DEFENSE_SETTINGS)}
    record |= {"seeds": list(group.seeds), "remarks": [_remark(mark, reason) for mark, reason in group.remarks]}
    for column in (*COUNTS, *dict.fromkeys(column for columns in PARTS.values() for column in columns)):
        if column.form == "list":
            record[column.key] = group.values(column.key)
            continue
        mean, sd = group.mean(column.key) or (None, None)
        low, high = group.interval(column.key) or (None, None)
        spread = {f"{column.key}_sd": sd, f"{column.key}_low": low, f"{column.key}_high": high}
        record |= {column.key: mean, **{key: value for key, value in spread.items() if value is not None}}
    return record


def _remark(mark: str, reason: str) -> str:
    return f"{mark}: {reason}" if reason else mark
