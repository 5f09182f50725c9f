"""Digests of files and folders: what changes them, what does not, and how often files are read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from mbti_core.contracts.settings import Settings
from mbti_core.data.fileref import Digests, FileRef
from mbti_core.errors import DataUnavailableError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("data/b/1.png", "data/a/2.png", "data/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "data"


def test_a_folder_is_its_files_names_and_contents(folder: Path) -> None:
    total = hashlib.sha256()
    for name in ("a/2.png", "a.txt", "b/1.png"):  # by the parts of the path, so a folder comes before 'a.txt'
        total.update(f"{name}\0{hashlib.sha256(f'data/{name}'.encode()).hexdigest()}\n".encode())
    assert Digests().of([folder]) == f"sha256:{total.hexdigest()}"


def test_what_changes_it(folder: Path) -> None:
    seen = {Digests().of([folder])}
    (folder / "a" / "2.png").rename(folder / "b" / "2.png")
    seen.add(Digests().of([folder]))
    (folder / "b" / "2.png").write_text("data/a/3.png")
    seen.add(Digests().of([folder]))
    (folder / "c").write_text("")
    seen.add(Digests().of([folder]))
    assert len(seen) == 4
    assert Digests().of([folder, folder / "c"]) not in seen


def test_links_are_followed_and_a_circle_ends(folder: Path) -> None:
    (folder.parent / "real").mkdir()
    (folder.parent / "real" / "3.png").write_text("3")
    (folder / "linked").symlink_to(folder.parent / "real")
    (folder / "a" / "up").symlink_to(folder)
    before = Digests().of([folder])
    (folder.parent / "real" / "3.png").write_text("4")
    assert Digests().of([folder]) != before
    (folder.parent / "same").symlink_to(folder)
    assert Digests().of([folder.parent / "same"]) == Digests().of([folder])


def test_a_file_is_read_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = tmp_path / "digests.json"
    first = Digests(memory)
    digest = first.of([folder])
    first.save()
    assert set(json.loads(memory.read_text())) == {str(p) for p in folder.rglob("*.*") if p.is_file()}
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert Digests(memory).of([folder]) == digest
    monkeypatch.setattr(os, "scandir", None)
    assert first.of([folder]) == digest  # within one plan nothing is looked at twice


def test_what_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as only_here:  # root may read everything, so no mode would do
        only_here.setattr(os, "scandir", refuse)
        with pytest.raises(DataUnavailableError, match=f"'{folder}' may not be read: permission denied") as caught:
            Digests().of([folder])
    assert "chmod" in caught.value.hint
    with pytest.raises(DataUnavailableError, match=r"There is no file or folder '.*nothing'"):
        Digests().of([folder / "nothing"])


def test_a_path_may_name_a_variable_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    class Chosen(Settings):
        path: FileRef

    monkeypatch.setenv("DATA", "/data")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert [Chosen(path=p).path for p in ("$DATA/a", "${DATA}/b", "~/c", "$NOWHERE/d")] == [
        "/data/a",
        "/data/b",
        "/home/somebody/c",
        "$NOWHERE/d",
    ]
