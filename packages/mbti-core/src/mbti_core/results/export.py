"""Rows as files for other programs: CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mbti_core.errors import ConfigError
from mbti_core.results.columns import ROW_KEYS, Row
from mbti_core.results.writing import write_whole


def export(rows: Sequence[Row], path: Path, form: str) -> Path:
    """Write rows to a file, all or nothing.

    Args:
        rows: Rows with all their keys; in CSV and Parquet lists and dicts become JSON text.
        path: The file; its folder is made.
        form: ``csv``, ``json`` or ``parquet``.

    Returns:
        The path.

    Raises:
        ConfigError: If the form is none of these, or the file cannot be written.
    """
    if form not in _FORMS:
        raise ConfigError(f"Expected an export as {', '.join(_FORMS)}; got {form!r}.", f"For example {path.stem}.csv.")
    return write_whole(path, _FORMS[form](rows))


def _json(rows: Sequence[Row]) -> bytes:
    return (json.dumps(list(rows), indent=1, allow_nan=False) + "\n").encode()


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _keys(rows))
    writer.writeheader()
    writer.writerows({key: _flat(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - a heavy import, for this form only
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    columns = {key: _one_type([_flat(row.get(key)) for row in rows]) for key in _keys(rows)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


_FORMS: dict[str, Callable[[Sequence[Row]], bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys([*ROW_KEYS, *(key for row in rows for key in row)]))


def _flat(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _one_type(values: list[Any]) -> list[Any]:
    """Make a column of mixed types one of numbers where all are numbers, else of text (a target: 0 or all-to-all)."""
    types = {type(value) for value in values if value is not None}
    if len(types) <= 1:
        return values
    convert: Callable[[Any], Any] = float if types <= {bool, int, float} else str
    return [None if value is None else convert(value) for value in values]
