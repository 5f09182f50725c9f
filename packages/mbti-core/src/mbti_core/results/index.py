"""All results of a store: an SQLite file that any process may fill, and that may be deleted at any time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from mbti_core.errors import ArtifactError, ConfigError, near_names
from mbti_core.results.columns import ROW_KEYS, Row

_SCHEMA = 1
_WAIT = 30.0  # seconds for another process's transaction


class ResultIndex:
    """The rows that evaluations left in a store, ``evaluate/<k2>/<key>/row.json``, read once each.

    Where newer versions of components have done an experiment again, only the last row of it is shown.

    The rows' files are the truth, the SQLite file beside them a cache: every question first takes in what is new and
    forgets what is gone. A damaged or older cache is made again; where none may be written, it lives in memory.

    Args:
        store_root: Root of the store; need not exist.
    """

    def __init__(self, store_root: Path) -> None:
        self.root = store_root
        self.path = store_root / "results.sqlite"

    def rows(self, where: Mapping[str, str] | None = None) -> list[Row]:
        """Return the rows whose values equal those asked for, in a stable order.

        Args:
            where: Text by key, as from a command line: ``{"attack": "badnets", "ratio": "0.1", "verdict": "true"}``.

        Raises:
            ConfigError: If no row has such a key.
            ArtifactError: If a row's file is damaged.
        """
        return matching(self._read_all() if self.root.is_dir() else [], where or {})

    def rebuild(self) -> int:
        """Forget everything and read all rows again; return how many there are.

        Raises:
            ArtifactError: If a row's file is damaged.
        """
        self._forget()
        return len(self.rows())

    def _forget(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            # A journal that outlives its file would be played back into the next one.
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)

    def _read_all(self) -> list[Row]:
        try:
            return self._refresh(self.path)
        except sqlite3.OperationalError:
            pass  # no permission, a full disk, a lock held for too long: no sign of damage
        except sqlite3.DatabaseError:
            self._forget()
        return self._refresh(":memory:")

    def _refresh(self, database_path: Path | str) -> list[Row]:
        with closing(_connect(database_path)) as database:
            # In this order: what another process adds after the scan must not look as if it were gone.
            known = dict(database.execute("SELECT key, stamp FROM rows"))
            present = {path.parent.name: (path.stat().st_mtime_ns, path) for path in self._manifests()}
            gone = [(key,) for key in known.keys() - present.keys()]
            new = [
                (key, stamp, _read(path.with_name("row.json")))
                for key, (stamp, path) in present.items()
                if known.get(key) != stamp
            ]
            if gone or new:
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    database.executemany("DELETE FROM rows WHERE key = ?", gone)
                    database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", new)
            return _latest(database.execute("SELECT row FROM rows WHERE row IS NOT NULL ORDER BY stamp, key"))

    def _manifests(self) -> Iterator[Path]:
        """Find complete evaluations."""
        for manifest in self.root.glob("evaluate/??/*/manifest.json"):
            if not manifest.parent.name.startswith("."):
                yield manifest


def matching(rows: Sequence[Row], where: Mapping[str, str]) -> list[Row]:
    """Return the rows whose values equal those asked for, as ``ResultIndex.rows`` does.

    Raises:
        ConfigError: If no row has such a key.
    """
    known = {*ROW_KEYS, *(key for row in rows for key in row)}
    for key in where:
        if key not in known:
            raise ConfigError(
                f"Results have no key {key!r}.", near_names(key, known) or f"Keys: {', '.join(ROW_KEYS)}."
            )
    chosen = [row for row in rows if all(_equals(row.get(key), text) for key, text in where.items())]
    return sorted(chosen, key=_place)


def _connect(path: Path | str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    try:
        if _schema(database) != _SCHEMA:
            with database:
                database.execute("BEGIN IMMEDIATE")
                if _schema(database) != _SCHEMA:  # unless another process was faster
                    database.execute("DROP TABLE IF EXISTS rows")
                    database.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, stamp INTEGER, row TEXT)")
                    database.execute(f"PRAGMA user_version = {_SCHEMA}")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _schema(database: sqlite3.Connection) -> int:
    (schema,) = database.execute("PRAGMA user_version").fetchone()
    return int(schema)


def _latest(rows: Iterable[tuple[str]]) -> list[Row]:
    """Return of rows, oldest first, those that no later one supersedes."""
    found: dict[str, Row] = {}
    for (text,) in rows:
        row = json.loads(text)
        found[row.get("asked") or text] = row
    return list(found.values())


def _read(path: Path) -> str | None:
    """Return a row as JSON; None for evaluations that are no result of their own (the benign twin's)."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return json.dumps(row) if "name" in row else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactError(
            f"{path} cannot be read: {error}.", "Remove its folder; the next run makes it again."
        ) from error


def _equals(value: object, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, (int, float)):
        try:
            return float(text) == value
        except ValueError:
            return False
    return text == ("null" if value is None else value if isinstance(value, str) else json.dumps(value))


def _place(row: Row) -> tuple[str, ...]:
    defense = str(row.get("defense"))
    keys = ("name", "dataset", "model", "noise", "attack", "ratio", "seed")
    return (*(str(row.get(key)) for key in keys), "" if defense == "none" else defense, str(row.get("run")))
