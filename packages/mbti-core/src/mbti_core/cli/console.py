"""Where output goes: tables and JSON to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbti_core.errors import MbtiError

if TYPE_CHECKING:
    from rich.console import Console

JSON_SCHEMA = 1
_PIPED_WIDTH = 200  # columns; a table cut at 80 would lose what a pipe is there for


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr; it takes texts as they are and respects NO_COLOR and COLUMNS."""
    from rich.console import Console  # noqa: PLC0415 - help and completion need no rich

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a plain table; columns that are empty in every row are left out."""
    from rich import box  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    body = list(rows)
    shown = [i for i in range(len(columns)) if any(row[i] for row in body)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i in shown:
        table.add_column(columns[i], overflow="fold")
    for row in body:
        table.add_row(*(row[i] for i in shown))
    console().print(table)


def print_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document to stdout, with the ``schema`` of this command line's documents."""
    sys.stdout.write(
        json.dumps({"schema": JSON_SCHEMA, **document}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def say(text: str) -> None:
    """Print a line for a person to stderr."""
    console(stderr=True).print(text, soft_wrap=True)


def print_error(message: str, hint: str = "") -> None:
    """Print what is wrong and what to do to stderr."""
    from rich.text import Text  # noqa: PLC0415 - as above

    text = Text.assemble(("error: ", "bold red"), message, f"\n  {hint}" if hint else "")
    console(stderr=True).print(text, soft_wrap=True)


def error_document(error: BaseException) -> dict[str, Any]:
    """Return an error as plain data."""
    if isinstance(error, MbtiError):
        return {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    return {"type": type(error).__name__, "message": str(error), "hint": ""}
