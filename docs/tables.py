"""Fill the tables of a page of results: ``python docs/tables.py PAGE [STORE...]``.

A table stands between ``<!-- table: KEY=VALUE ... -->``, as of ``mbti results --where``, and ``<!-- end -->``. Its rows
are kept beside the page, in ``PAGE.jsonl``, one on a line: so a table outlives the store that it came from, and one
may come from several, of several machines. A store's row takes the place of the kept one that answers the same
question. Rows of a question that is no longer asked are removed by hand. A table without rows stays as it is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mbti_core.results.columns import Row
from mbti_core.results.index import ResultIndex, matching
from mbti_core.results.table import ResultTable

_TABLE = re.compile(r"(<!-- table: (?P<where>.*?) -->\n)(?P<old>.*?)(?=<!-- end -->)", re.DOTALL)


def kept(page: Path) -> list[Row]:
    """Return the rows beside a page; none, where there is no such file."""
    file = page.with_suffix(".jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def filled(text: str, rows: list[Row]) -> str:
    """Return the text of a page with the tables that there are rows of."""

    def table(found: re.Match[str]) -> str:
        shown = matching(rows, _where(found))
        made = ResultTable(shown).markdown().strip().replace("### Models\n\n", "")  # the page has a heading there
        return found[1] + (made + "\n" if shown else found["old"])

    return _TABLE.sub(table, text)


def run(page: Path, *stores: str) -> None:
    """Rewrite the page and its rows in place."""
    text = page.read_text(encoding="utf-8")
    rows = {_question(row): row for row in kept(page)}
    for store in stores:
        rows |= {_question(row): row for row in _shown(text, ResultIndex(Path(store)))}
    ordered = matching(list(rows.values()), {})
    lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in ordered]
    if lines:
        page.with_suffix(".jsonl").write_text("".join(lines), encoding="utf-8")
    page.write_text(filled(text, ordered), encoding="utf-8")


def _shown(text: str, index: ResultIndex) -> Iterator[Row]:
    for found in _TABLE.finditer(text):
        yield from index.rows(_where(found))


def _where(found: re.Match[str]) -> dict[str, str]:
    return dict(condition.split("=", 1) for condition in found["where"].split())


def _question(row: Row) -> str:
    return str(row.get("asked") or row["run"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    run(Path(sys.argv[1]), *sys.argv[2:])
