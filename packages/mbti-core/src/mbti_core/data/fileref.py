"""Files and folders in settings: the content's digest is in the key, the path is not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, PydanticSerializationUnexpectedValue, core_schema

from mbti_core.errors import DataUnavailableError


class FileRef(str):
    """A path in a settings class. ``Path(ref)`` opens it; a key holds the sha256 of what is there.

    ``~`` and variables of the environment stand for what they are: ``$MBTI_DATA/sst2-scpn``.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate as a string; dump as the path, or as its digest where the context brings a ``digest`` function."""
        del source, handler
        dump = core_schema.plain_serializer_function_ser_schema(_dump, info_arg=True)
        return core_schema.no_info_after_validator_function(_expanded, core_schema.str_schema(), serialization=dump)


def _expanded(value: str) -> FileRef:
    return FileRef(os.path.expandvars(os.path.expanduser(value)))


def _dump(value: object, info: SerializationInfo) -> str:
    if not isinstance(value, str):  # a union with other types asks each member in turn
        raise PydanticSerializationUnexpectedValue(f"expected a path, got {value!r}")
    digest = (info.context or {}).get("digest")
    return str(value) if digest is None else digest([Path(value)])


class Digests:
    """Digests of files, remembered by (path, size, mtime) in one JSON file that may be deleted.

    Args:
        memory: Where to remember; None remembers only within this object.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, list[Any]] = {}
        self._seen: dict[tuple[str, ...], str] = {}
        self._changed = False
        if memory is not None and memory.is_file():
            try:
                self._known = json.loads(memory.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                self._known = {}

    def of(self, paths: list[Path]) -> str:
        """Return the digest of files and folders together: names below the common folder, and contents.

        Paths that this object has seen are not looked at again.

        Raises:
            DataUnavailableError: If a path does not exist or may not be read.
        """
        names = tuple(map(str, paths))
        if names not in self._seen:
            self._seen[names] = self._of(paths)
        return self._seen[names]

    def _of(self, paths: list[Path]) -> str:
        total = hashlib.sha256()
        for path in paths:
            if not path.exists():
                raise DataUnavailableError(
                    f"There is no file or folder {str(path)!r}.", "Correct the path in the spec."
                )
            real = str(path.resolve())
            if path.is_dir():
                for name, stat in _below(real, "", frozenset()):
                    total.update(f"{name}\0{self._one(f'{real}{os.sep}{name}', stat)}\n".encode())
            else:
                total.update(f"{path.name}\0{self._one(real, path.stat())}\n".encode())
        return f"sha256:{total.hexdigest()}"

    def _one(self, name: str, stat: os.stat_result) -> str:
        mark = [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(name)
        if known and known[:2] == mark:
            return str(known[2])
        try:
            with open(name, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except PermissionError as error:
            raise _denied(name) from error
        self._known[name] = [*mark, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        """Remember what was computed, in one atomic step; another process's newer memory may win."""
        if self._memory is None or not self._changed:
            return
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        part = self._memory.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self._known), encoding="utf-8")
        part.replace(self._memory)
        self._changed = False


def _below(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files in a folder and in those inside it, links followed: name with slashes, and what ``stat`` says."""
    here = os.stat(folder)
    if (here.st_dev, here.st_ino) in above:  # a link that leads back
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except PermissionError as error:
        raise _denied(folder) from error
    for entry in entries:
        if entry.is_dir():
            yield from _below(entry.path, f"{prefix}{entry.name}/", above | {(here.st_dev, here.st_ino)})
        elif entry.is_file():
            yield prefix + entry.name, entry.stat()


def _denied(name: str) -> DataUnavailableError:
    return DataUnavailableError(
        f"{name!r} may not be read: permission denied.",
        f"Run 'chmod -R u+rX {name}', or choose another data root.",
    )
