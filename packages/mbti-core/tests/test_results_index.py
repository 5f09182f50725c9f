from __future__ import annotations

import csv
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mbti_core.errors import ArtifactError, ConfigError
from mbti_core.results.columns import ROW_KEYS
from mbti_core.results.export import export
from mbti_core.results.index import ResultIndex


def leave(root: Path, key: str, complete: bool = True, **row: Any) -> Path:
    """Leave an evaluation as the store does: the folder appears whole, under its key."""
    folder = root / "evaluate" / key[:2] / key
    folder.mkdir(parents=True)
    if row:
        (folder / "row.json").write_text(json.dumps(row))
    if complete:
        (folder / "manifest.json").write_text("{}")
    return folder


def a_row(**over: Any) -> dict[str, Any]:
    return {"name": "toy", "attack": "stamp", "defense": "none", "ratio": 0.1, "seed": "0", "asr": 0.9} | over


@pytest.fixture
def root(tmp_path: Path) -> Path:
    leave(tmp_path, "aa01", **a_row())
    leave(tmp_path, "aa02", **a_row(defense="ft", verdict=True, verdict_targets=[0, 3]))
    leave(tmp_path, "bb03", **a_row(attack="blend", ratio=1))
    return tmp_path


def test_reads_what_evaluations_left_and_nothing_else(root: Path) -> None:
    leave(root, "cc04", complete=False, **a_row(name="half"))
    leave(root, ".part-cc05", **a_row(name="in progress"))
    leave(root, "cc06")  # no row at all
    leave(root, "cc07", asr=0.01)  # the benign twin's: no result of its own
    (root / "train" / "dd" / "dd01").mkdir(parents=True)
    rows = ResultIndex(root).rows()
    assert [(row["attack"], row["defense"]) for row in rows] == [("blend", "none"), ("stamp", "none"), ("stamp", "ft")]
    assert rows[2]["verdict_targets"] == [0, 3]


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({}, 3),
        ({"attack": "stamp"}, 2),
        ({"attack": "stamp", "defense": "ft"}, 1),
        ({"ratio": "0.10"}, 2),
        ({"ratio": "1.0"}, 1),
        ({"ratio": "high"}, 0),
        ({"verdict": "true"}, 1),
        ({"verdict": "null"}, 2),
        ({"verdict_targets": "[0, 3]"}, 1),
        ({"auroc": "1"}, 0),  # a key of every row, set in none
    ],
)
def test_where(root: Path, where: dict[str, str], count: int) -> None:
    assert len(ResultIndex(root).rows(where)) == count


def test_where_with_an_unknown_key(root: Path) -> None:
    with pytest.raises(ConfigError, match="no key 'atack'") as caught:
        ResultIndex(root).rows({"atack": "stamp"})
    assert "attack" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        ResultIndex(root).rows({"zzzz": "1"})
    assert "clean_accuracy" in caught.value.hint


def test_follows_the_store(root: Path) -> None:
    index = ResultIndex(root)
    assert len(index.rows()) == 3
    new = leave(root, "dd04", **a_row(defense="fp"))
    assert len(index.rows()) == 4
    (new / "row.json").write_text(json.dumps(a_row(defense="fp", asr=0.5)))  # made again by a forced run
    os.utime(new / "manifest.json", ns=(1, 1))
    assert index.rows({"defense": "fp"})[0]["asr"] == 0.5
    for file in new.iterdir():
        file.unlink()
    assert len(index.rows()) == 3


def test_of_rows_that_answer_the_same_the_last_is_shown(root: Path) -> None:
    for stamp, (key, asr) in enumerate([("ff06", 0.1), ("aa07", 0.2), ("dd08", 0.3)]):
        os.utime(leave(root, key, **a_row(defense="fp", asr=asr, asked="x")) / "manifest.json", ns=(stamp, stamp))
    leave(root, "ee09", **a_row(defense="fp", asr=0.4, asked="y"))
    assert [row["asr"] for row in ResultIndex(root).rows({"defense": "fp"})] == [0.3, 0.4]
    assert len(ResultIndex(root).rows({"attack": "stamp", "defense": "none"})) == 1


def test_a_missing_store_has_no_results_and_stays_missing(tmp_path: Path) -> None:
    assert ResultIndex(tmp_path / "none").rows({"attack": "x"}) == []
    assert not (tmp_path / "none").exists()


def test_the_cache_may_be_deleted_and_is_made_again(root: Path) -> None:
    index = ResultIndex(root)
    before = index.rows()
    index.path.unlink()
    assert index.rows() == before
    assert index.path.exists()
    assert index.rebuild() == 3


@pytest.mark.parametrize("damage", [b"not a database, but as long as one" * 40, b"SQLite format 3\0" + bytes(2000)])
def test_a_damaged_cache_is_made_again(root: Path, damage: bytes) -> None:
    index = ResultIndex(root)
    before = index.rows()
    index.path.write_bytes(damage)
    assert index.rows() == before
    assert index.rows() == before
    with sqlite3.connect(index.path) as database:
        assert database.execute("SELECT count(*) FROM rows").fetchone() == (3,)
    database.close()


def test_a_cache_of_another_schema_is_made_again(root: Path) -> None:
    index = ResultIndex(root)
    database = sqlite3.connect(index.path)
    database.executescript("CREATE TABLE rows (nonsense); INSERT INTO rows VALUES (1); PRAGMA user_version = 7;")
    database.close()
    assert len(index.rows()) == 3


def test_where_no_cache_can_be_written_it_lives_in_memory(root: Path) -> None:
    index = ResultIndex(root)
    index.path.mkdir()
    assert len(index.rows()) == 3


def test_a_damaged_row_is_named(root: Path) -> None:
    leave(root, "ee05", **a_row())
    (root / "evaluate/ee/ee05/row.json").write_text('{"name": ')
    with pytest.raises(ArtifactError, match=r"evaluate/ee/ee05/row\.json"):
        ResultIndex(root).rows()


def _fill(root: Path, worker: int) -> None:
    for number in range(10):
        leave(root, f"{worker}{number}_{worker}", **a_row(seed=f"{worker}-{number}"))
        if not any(row["seed"] == f"{worker}-{number}" for row in ResultIndex(root).rows()):
            raise SystemExit(1)


def test_concurrent_writers(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    workers = [spawn.Process(target=_fill, args=(tmp_path, worker)) for worker in range(4)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0] * 4
    assert len(ResultIndex(tmp_path).rows()) == 40


def test_export(root: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    rows = [*ResultIndex(root).rows(), a_row(target="all-to-all", own_key=1), a_row(target=0)]
    as_json = json.loads(export(rows, tmp_path / "out" / "r.json", "json").read_text())
    assert as_json == rows
    with export(rows, tmp_path / "r.csv", "csv").open(newline="") as stream:
        as_csv = list(csv.DictReader(stream))
    assert list(as_csv[0])[: len(ROW_KEYS)] == list(ROW_KEYS)
    assert [row["asr"] for row in as_csv] == ["0.9"] * 5
    assert as_csv[2]["verdict_targets"] == "[0, 3]"
    assert as_csv[3]["own_key"] == "1"
    as_parquet = pq.read_table(export(rows, tmp_path / "r.parquet", "parquet")).to_pylist()
    assert [row["asr"] for row in as_parquet] == [0.9] * 5
    assert [row["target"] for row in as_parquet] == [None, None, None, "all-to-all", "0"]
    assert as_parquet[2]["verdict"] is True
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_export_of_nothing(tmp_path: Path, form: str) -> None:
    assert export([], tmp_path / f"r.{form}", form).stat().st_size > 0


def test_export_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="csv, json, parquet; got 'xls'"):
        export([], tmp_path / "r.xls", "xls")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        export([], tmp_path / "file" / "r.csv", "csv")


def test_needs_neither_torch_nor_pyarrow() -> None:
    code = (
        "import sys, mbti_core.results.index, mbti_core.results.export;"
        "raise SystemExit(bool({'torch', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
