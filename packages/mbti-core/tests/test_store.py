"""The store: present means complete, nothing half-written, nothing lost."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mbti_core.engine.keys import canonical, key_of
from mbti_core.engine.store import CHECKPOINT, Store
from mbti_core.errors import ArtifactError, StoreError

KEY = "ab" + "0" * 62


def fill(folder: Path) -> dict[str, object]:
    (folder / "a.bin").write_bytes(b"abc")
    return {}


def build(store: Store, stage: str = "train", key: str = KEY, **facts: object) -> bool:
    return store.build(stage, key, {"inputs": {}, **facts}, fill)


def test_an_artifact_is_made_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not store.has("train", KEY)
    assert build(store) is False
    assert build(store) is True
    assert [ref.name for ref in store.artifacts()] == [f"train/ab/{KEY}"]
    assert set(store.manifest("train", KEY)["files"]) == {"a.bin"}


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def broken(folder: Path) -> dict[str, object]:
        (folder / "half").write_text("x")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        store.build("train", KEY, {"inputs": {}}, broken)
    assert not store.parts()
    assert not list(store.artifacts())


def test_an_interrupt_keeps_the_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def interrupted(folder: Path) -> dict[str, object]:
        (folder / f"{CHECKPOINT}3").mkdir()
        (folder / f"{CHECKPOINT}3" / "w").write_text("w")
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.build("train", KEY, {"inputs": {}}, interrupted)
    assert [p.name for p in store.part("train", KEY).iterdir()] == [f"{CHECKPOINT}3"]

    def resumed(folder: Path) -> dict[str, object]:
        assert (folder / f"{CHECKPOINT}3" / "w").read_text() == "w"
        return fill(folder)

    store.build("train", KEY, {"inputs": {}}, resumed)
    assert sorted(p.name for p in store.folder("train", KEY).iterdir()) == ["a.bin", "manifest.json"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error: No space left on device")]
)
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    store = Store(tmp_path)
    build(store, key="cd" + KEY[2:])

    def full(folder: Path) -> dict[str, object]:
        (folder / "half").write_bytes(bytes(2_000_000))
        raise error

    with pytest.raises(StoreError, match=r"The store is full: train/ab/ab0000000000… needs more than") as caught:
        store.build("train", KEY, {"inputs": {}}, full)
    assert "MB are free" in str(caught.value)
    assert caught.value.exit_code == 1
    assert not store.parts()
    assert store.has("train", "cd" + KEY[2:])


def test_verify_finds_a_flipped_byte_and_names_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    build(store)
    assert store.verify() == []
    file = store.folder("train", KEY) / "a.bin"
    file.write_bytes(b"abd")
    (problem,) = store.verify()
    assert problem.startswith(f"train/ab/{KEY}/a.bin: expected sha256")
    file.unlink()
    assert store.verify() == [f"train/ab/{KEY}/a.bin: missing."]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    build(Store(tmp_path))
    manifest = Store(tmp_path).folder("train", KEY) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema": 2}))
    with pytest.raises(ArtifactError, match="was written by schema 2; this version reads 1"):
        Store(tmp_path).manifest("train", KEY)
    (tmp_path / "store.json").write_text('{"schema": 7}')
    with pytest.raises(ArtifactError, match="was written by schema 7; this version reads 1"):
        Store(tmp_path)


def test_a_root_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        build(Store(tmp_path / "file" / "store"))


def test_gc_keeps_what_a_result_stands_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    build(store, "prepare")
    build(store, "train", inputs={"prepare": f"prepare/{KEY}"})
    store.build("evaluate", KEY, {"inputs": {"model": f"train/{KEY}"}}, lambda folder: {})
    orphan = "ee" + KEY[2:]
    build(store, "train", orphan)
    store.part("train", "ff" + KEY[2:]).mkdir(parents=True)
    assert len(store.gc(dry_run=True)) == 2
    assert store.has("train", orphan)
    store.gc(dry_run=False)
    assert sorted(ref.stage for ref in store.artifacts()) == ["evaluate", "prepare", "train"]
    assert not store.parts()


_RACE = """
import sys, time
from pathlib import Path
from mbti_core.engine.store import Store

def slow(folder):
    time.sleep(0.5)
    (folder / "a.bin").write_bytes(b"abc")
    return {}

print(Store(Path(sys.argv[1])).build("train", sys.argv[2], {"inputs": {}}, slow))
"""


def test_two_processes_make_one_artifact(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RACE, str(tmp_path), KEY]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(worker.communicate(timeout=50)[0].strip() for worker in workers)
    assert said == ["False", "True"]
    assert Store(tmp_path).verify() == []


def test_keys_are_canonical() -> None:
    assert canonical({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        key_of({"a": float("inf")})
