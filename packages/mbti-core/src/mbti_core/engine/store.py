"""The content-addressed store: present means complete, two processes may race, nothing is lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.errors import ArtifactError, StoreError

if TYPE_CHECKING:
    from filelock import FileLock

SCHEMA = 1
CHECKPOINT = "checkpoint-"
DIGESTS = "digests.json"
"""What is remembered of files that settings name; it may be deleted."""
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ArtifactRef:
    """One artifact in the store."""

    stage: str
    key: str
    folder: Path

    @property
    def name(self) -> str:
        """How messages name it: ``train/3f/3fa9…``."""
        return f"{self.stage}/{self.key[:2]}/{self.key}"


class Store:
    """``ROOT/<stage>/<k[:2]>/<key>/`` with a manifest each.

    Args:
        root: The folder; made on first write.

    Raises:
        ArtifactError: If a newer version wrote it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        mark = root / "store.json"
        if mark.is_file():
            schema = _read(mark).get("schema")
            if schema != SCHEMA:
                raise ArtifactError(
                    f"The store {root} was written by schema {schema}; this version reads {SCHEMA}.",
                    "Choose another folder with --store, or use the version that wrote it.",
                )

    def folder(self, stage: str, key: str) -> Path:
        """Return where an artifact is, or will be."""
        return self.root / stage / key[:2] / key

    def part(self, stage: str, key: str) -> Path:
        """Return where an artifact is made."""
        return self.root / stage / key[:2] / f".part-{key}"

    def has(self, stage: str, key: str) -> bool:
        """Whether an artifact is there, and so complete."""
        return (self.folder(stage, key) / _MANIFEST).is_file()

    def manifest(self, stage: str, key: str) -> dict[str, Any]:
        """Read an artifact's manifest.

        Raises:
            ArtifactError: If it is damaged or of another schema.
        """
        ref = ArtifactRef(stage, key, self.folder(stage, key))
        manifest = _read(ref.folder / _MANIFEST)
        if manifest.get("schema") != SCHEMA:
            raise ArtifactError(
                f"{ref.name} was written by schema {manifest.get('schema')}; this version reads {SCHEMA}.",
                "Choose another folder with --store, or use the version that wrote it.",
            )
        return manifest

    def row(self, key: str) -> dict[str, Any]:
        """Read the row of results that an evaluation left."""
        return _read(self.folder("evaluate", key) / "row.json")

    def artifacts(self) -> Iterator[ArtifactRef]:
        """List all complete artifacts."""
        for manifest in sorted(self.root.glob(f"*/??/*/{_MANIFEST}")):
            folder = manifest.parent
            if not folder.name.startswith(".part-"):
                yield ArtifactRef(folder.parent.parent.name, folder.name, folder)

    def parts(self) -> list[Path]:
        """List temporary folders: work in progress, or left by a killed run."""
        return sorted(self.root.glob("*/??/.part-*"))

    def prepare(self) -> None:
        """Make the root and its mark.

        Raises:
            StoreError: If it cannot be written.
        """
        try:
            (self.root / ".locks").mkdir(parents=True, exist_ok=True)
            mark = self.root / "store.json"
            if not mark.is_file():
                part = mark.with_suffix(f".{os.getpid()}.part")
                part.write_text(json.dumps({"schema": SCHEMA}), encoding="utf-8")
                part.replace(mark)
        except OSError as error:
            raise StoreError(
                f"The store {self.root} cannot be written: {error.strerror}.", "Choose another folder with --store."
            ) from error

    def _file_lock(self, stage: str, key: str) -> FileLock:
        from filelock import FileLock  # noqa: PLC0415 - listings of the store lock nothing

        return FileLock(self.root / ".locks" / f"{stage}-{key}.lock")

    @contextmanager
    def lock(self, stage: str, key: str) -> Iterator[None]:
        """Hold an artifact's lock; the system lets go of it when the process dies."""
        self.prepare()
        with self._file_lock(stage, key):
            yield

    def build(self, stage: str, key: str, facts: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]) -> bool:
        """Make an artifact unless it is there; another process that makes it is waited for.

        Args:
            stage: Name of the stage.
            key: The artifact's key.
            facts: Goes into the manifest (payload, inputs, label).
            make: Fills the folder it is given and returns more facts; finds there what a killed run left as checkpoint.

        Returns:
            Whether it was already there.

        Raises:
            StoreError: If the disk is full or may not be written.
        """
        with self.lock(stage, key):
            if self.has(stage, key):
                return True
            part = self.part(stage, key)
            try:
                _clear(part)
                part.mkdir(parents=True, exist_ok=True)
                start = time.perf_counter()
                more = make(part)
                for checkpoint in part.glob(f"{CHECKPOINT}*"):
                    shutil.rmtree(checkpoint)
                self._seal(part, {**facts, **more, "stage": stage, "key": key, "seconds": time.perf_counter() - start})
                self._publish(part, self.folder(stage, key))
            except OSError as error:
                raise self._store_error(error, stage, key, part) from error
            except BaseException as error:
                _clear(part)
                if "No space left" in str(error):  # safetensors wraps the system's error in its own
                    raise self._store_error(OSError(errno.ENOSPC, str(error)), stage, key, part) from error
                raise
        return False

    def _seal(self, part: Path, manifest: dict[str, Any]) -> None:
        digests = {str(f.relative_to(part)): _digest(f) for f in sorted(part.rglob("*")) if f.is_file()}
        text = json.dumps({"schema": SCHEMA, **manifest, "files": digests}, indent=1, allow_nan=False)
        (part / _MANIFEST).write_text(text, encoding="utf-8")
        for file in part.rglob("*"):
            if file.is_file():
                _sync(file)

    def _publish(self, part: Path, folder: Path) -> None:
        if folder.exists():  # without a manifest: nothing of ours is ever half there, so it is a stranger's
            shutil.rmtree(folder)
        part.rename(folder)
        _sync(folder.parent)

    def _store_error(self, error: OSError, stage: str, key: str, part: Path) -> Exception:
        name = f"{stage}/{key[:2]}/{key[:12]}…"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            needs = sum(f.stat().st_size for f in part.rglob("*") if f.is_file()) / 1e6 if part.exists() else 0.0
            _clear(part)
            free = shutil.disk_usage(self.root).free / 1e6
            return StoreError(
                f"The store is full: {name} needs more than {needs:.1f} MB, {free:.1f} MB are free on this disk.",
                "Free some space ('mbti store gc'), or choose another folder with --store; what is complete stays.",
            )
        _clear(part)
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM) and str(error.filename or "").startswith(
            str(self.root)
        ):
            return StoreError(
                f"{error.filename} cannot be written: {error.strerror}.", "Choose another folder with --store."
            )
        return error

    def verify(self) -> list[str]:
        """Recompute every digest; return one line per damaged, missing or unreadable file."""
        problems = []
        for ref in self.artifacts():
            try:
                manifest = self.manifest(ref.stage, ref.key)
            except ArtifactError as error:
                problems.append(error.message)
                continue
            for name, expected in manifest["files"].items():
                file = ref.folder / name
                if not file.is_file():
                    problems.append(f"{ref.name}/{name}: missing.")
                elif (found := _digest(file)) != expected:
                    problems.append(f"{ref.name}/{name}: expected sha256 {expected[:12]}…, found {found[:12]}….")
        return problems

    def gc(self, *, dry_run: bool) -> list[Path]:
        """Remove what no result stands on (interrupted runs', too), and what killed runs left; return it.

        What another process is making at this moment stays.
        """
        used: set[str] = set()
        pending = [f"evaluate/{ref.key}" for ref in self.artifacts() if ref.stage == "evaluate"]
        while pending:
            name = pending.pop()
            if name not in used:
                used.add(name)
                stage, key = name.split("/")
                pending += self.manifest(stage, key)["inputs"].values() if self.has(stage, key) else []
        garbage = [ref.folder for ref in self.artifacts() if f"{ref.stage}/{ref.key}" not in used]
        garbage += [part for part in self.parts() if not self._in_progress(part)]
        if not dry_run:
            for folder in garbage:
                shutil.rmtree(folder)
        return garbage

    def _in_progress(self, part: Path) -> bool:
        lock = self._file_lock(part.parent.parent.name, part.name.removeprefix(".part-"))
        try:
            with lock.acquire(timeout=0):
                return False
        except TimeoutError:
            return True


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read: {error}.", "Remove its folder; the next run makes it again."
        ) from error
    return data


def _clear(part: Path) -> None:
    """Empty a temporary folder, but leave a checkpoint: the next run goes on from it."""
    if not part.exists():
        return
    kept = False
    for entry in part.iterdir():
        if entry.name.startswith(CHECKPOINT):
            kept = True
        elif entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not kept:
        part.rmdir()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
