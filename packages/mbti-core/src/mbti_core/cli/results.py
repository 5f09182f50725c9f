"""``mbti results``: what a store holds, as a table or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mbti_core.cli.console import console, print_json, say
from mbti_core.cli.options import Json, StoreRoot, open_store
from mbti_core.errors import ConfigError

_WHERE = "Only rows with this value, e.g. attack=badnets; may be repeated."


def results(
    where: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help=_WHERE)] = None,
    csv: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the rows as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the rows as Parquet.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the tables as Markdown.")] = None,
    json: Json = False,
    store: StoreRoot = None,
) -> None:
    """Show the results of every run in a store."""
    from mbti_core.results.export import export  # noqa: PLC0415 - needed here alone
    from mbti_core.results.index import ResultIndex  # noqa: PLC0415 - as above
    from mbti_core.results.table import ResultTable  # noqa: PLC0415 - as above
    from mbti_core.results.writing import write_whole  # noqa: PLC0415 - as above

    root = open_store(store).root
    rows = ResultIndex(root).rows(_conditions(where or ()))
    for path, form in ((csv, "csv"), (parquet, "parquet")):
        if path is not None:
            say(f"{len(rows)} rows in {export(rows, path, form)}")
    if markdown is not None:
        say(f"{len(rows)} rows in {write_whole(markdown, ResultTable(rows).markdown().encode())}")
    if json:
        print_json({"rows": rows})
    elif not rows:
        say(f"No results with that in {root}." if where else f"No results in {root}. 'mbti run' makes some.")
    elif csv is None and parquet is None and markdown is None:
        console().print(ResultTable(rows).rich())


def _conditions(texts: Sequence[str]) -> dict[str, str]:
    conditions = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise ConfigError(f"--where: expected KEY=VALUE, got {text!r}.", "For example --where attack=badnets.")
        conditions[key.strip()] = value.strip()
    return conditions
