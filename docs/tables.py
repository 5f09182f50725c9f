"""Fill the tables of pages of results from a store: ``python docs/tables.py STORE PAGE...``.

A table stands between ``<!-- table: KEY=VALUE ... -->``, as of ``mbti results --where``, and ``<!-- end -->``.
One of which the store holds no row stays as it is, so that a page may be filled from several stores, one after another.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mbti_core.results.index import ResultIndex
from mbti_core.results.table import ResultTable

_TABLE = re.compile(r"(<!-- table: (?P<where>.*?) -->\n)(?P<old>.*?)(?=<!-- end -->)", re.DOTALL)


def filled(page: str, index: ResultIndex) -> str:
    """Return the text of a page with the tables that the store has rows of."""

    def table(found: re.Match[str]) -> str:
        where = dict(condition.split("=", 1) for condition in found["where"].split())
        rows = index.rows(where)
        made = ResultTable(rows).markdown().strip().replace("### Models\n\n", "")  # the page has a heading there
        return found[1] + (made + "\n" if rows else found["old"])

    return _TABLE.sub(table, page)


def run(store: str, *pages: str) -> None:
    """Rewrite the pages in place."""
    index = ResultIndex(Path(store))
    for page in map(Path, pages):
        page.write_text(filled(page.read_text(encoding="utf-8"), index), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    run(*sys.argv[1:])
