"""``mbti fetch`` against a server on this machine: what it brings, what it refuses, and what it leaves behind."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from filelock import FileLock

from mbti_core.contracts.component import Component
from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Part, Records
from mbti_core.contracts.model import InputSpec
from mbti_core.data import fetch as module
from mbti_core.data.fetch import fetch
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_core.plugins.hookspecs import hookimpl

Call = Callable[..., Any]


class Server(ThreadingHTTPServer):
    """Serves files by name, counts the requests, and cuts off what it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []

    def offer(self, name: str, content: bytes, **where: str) -> Download:
        self.held[name] = content
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Download(f"http://127.0.0.1:{self.server_port}/files/{name}", checksum, len(content), **where)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        if name not in self.server.held:
            self.send_error(404, "Not Found")
            return
        content = self.server.held[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], *links: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return out.getvalue()


def tree(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def three(server: Server) -> tuple[Download, ...]:
    return (
        server.offer("one.zip", zipped({"SHELF/a/x.txt": b"x", "SHELF/a/": b"", "READ.me": b"no"}), strip="SHELF"),
        server.offer("two.tar.gz", tarred({"./b/y.txt": b"y"})),
        server.offer("labels.csv", b"1;2\n", into="b"),
    )


def test_archives_and_files_land_in_the_layout(server: Server, tmp_path: Path) -> None:
    place = fetch(Origin("deep/shelf", three(server)), tmp_path / "data")
    assert place == tmp_path / "data" / "deep" / "shelf"
    assert tree(tmp_path / "data") == {
        "deep/shelf/a/x.txt": "x",
        "deep/shelf/b/y.txt": "y",
        "deep/shelf/b/labels.csv": "1;2\n",
    }


def test_md5_does_too(server: Server, tmp_path: Path) -> None:
    content = b"one file"
    url = server.offer("one.csv", content).url
    origin = Origin("shelf", (Download(url, f"md5:{hashlib.md5(content).hexdigest()}", 8),))
    assert tree(fetch(origin, tmp_path)) == {"one.csv": "one file"}


def test_after_a_failure_it_goes_on_with_what_is_whole(server: Server, tmp_path: Path) -> None:
    origin = Origin("shelf", three(server))
    server.cut = {"two.tar.gz"}
    with pytest.raises(
        DataUnavailableError, match=r"two\.tar\.gz cannot be downloaded: the connection broke"
    ) as caught:
        fetch(origin, tmp_path)
    assert "run the command again" in caught.value.hint
    assert not (tmp_path / "shelf").exists()
    server.cut = set()
    assert len(tree(fetch(origin, tmp_path))) == 3
    assert server.asked == ["one.zip", "two.tar.gz", "two.tar.gz", "labels.csv"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shelf"]


def test_another_checksum(server: Server, tmp_path: Path) -> None:
    download = server.offer("one.zip", zipped({"x.txt": b"x"}))
    server.held["one.zip"] = zipped({"x.txt": b"y"})
    with pytest.raises(DataFormatError, match=r"one\.zip gave a file without the checksum sha256:[0-9a-f]{64}"):
        fetch(Origin("shelf", (download,)), tmp_path)
    assert not (tmp_path / "shelf").exists()
    assert not list(tmp_path.rglob("*.zip"))


def test_what_the_server_says(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download = server.offer("gone.zip", b"")
    del server.held["gone.zip"]
    with pytest.raises(DataUnavailableError, match=r"gone\.zip cannot be downloaded: the server says 404 Not Found"):
        fetch(Origin("shelf", (download,)), tmp_path)
    closed = Download("http://127.0.0.1:9/x.zip", "md5:00", 1)
    with pytest.raises(DataUnavailableError, match=r"x\.zip cannot be downloaded: no connection to the server"):
        fetch(Origin("shelf", (closed,)), tmp_path)
    monkeypatch.setattr(Handler, "do_GET", lambda self: stop.wait(5))
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    stop = threading.Event()
    with pytest.raises(DataUnavailableError, match="no answer for"):
        fetch(Origin("shelf", (download,)), tmp_path)
    stop.set()


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_nothing_is_written_outside(server: Server, tmp_path: Path, pack: Call, name: str) -> None:
    suffix = ".zip" if pack is zipped else ".tar.gz"
    download = server.offer(f"evil{suffix}", pack({"fine.txt": b"1", name: b"2"}))
    with pytest.raises(DataFormatError, match="which leads out of the archive's folder"):
        fetch(Origin("shelf", (download,)), tmp_path / "data")
    assert not list(tmp_path.rglob("out.txt"))
    assert not Path("/tmp/out.txt").exists()
    assert not (tmp_path / "data" / "shelf").exists()


def test_links_are_refused(server: Server, tmp_path: Path) -> None:
    download = server.offer("linked.tgz", tarred({"a.txt": b"1"}, "passwords"))
    with pytest.raises(DataFormatError, match="holds 'passwords', which is neither a file nor a folder"):
        fetch(Origin("shelf", (download,)), tmp_path)


@pytest.mark.parametrize("name", ["broken.zip", "broken.tar.gz"])
def test_an_archive_that_is_none(server: Server, tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFormatError, match=r"broken\..* cannot be unpacked"):
        fetch(Origin("shelf", (server.offer(name, b"no archive"),)), tmp_path)


def test_something_else_is_in_its_place(server: Server, tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "mine.txt").write_text("mine")
    with pytest.raises(DataUnavailableError, match="is there, but does not hold the whole data set"):
        fetch(Origin("shelf", three(server)), tmp_path)
    assert tree(tmp_path) == {"shelf/mine.txt": "mine"}
    (tmp_path / "shelf" / "mine.txt").unlink()
    assert len(tree(fetch(Origin("shelf", three(server)), tmp_path))) == 3  # an empty folder is in nobody's way


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".shelf.part").mkdir()
    with FileLock(tmp_path / ".shelf.part" / "lock"), pytest.raises(DataUnavailableError, match="Another process"):
        fetch(Origin("shelf", three(server)), tmp_path)


def test_a_root_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataUnavailableError, match="data cannot be written: Not a directory") as caught:
        fetch(Origin("shelf", three(server)), tmp_path / "data")
    assert "--data-root" in caught.value.hint


def test_progress_counts_bytes(server: Server, tmp_path: Path) -> None:
    class Counter:
        total, done, closed = 0, 0, False

        def update(self, amount: int) -> None:
            self.done += amount

        def reset(self) -> None:
            self.done = 0

        def close(self) -> None:
            self.closed = True

    made: dict[str, Counter] = {}

    def meter(download: Download) -> Counter:
        return made.setdefault(download.url.rpartition("/")[2], Counter())

    downloads = three(server)
    fetch(Origin("shelf", downloads), tmp_path, meter)
    assert [(c.total, c.done, c.closed) for c in made.values()] == [(d.size, d.size, True) for d in downloads]


# --- the command ---


class Shelf(DatasetSource[Any]):
    """A data set of one file."""

    origin: ClassVar[Origin | None] = None

    def card(self) -> Card:
        counts: dict[Part, int] = {"train": 1200, "test": 300}
        return Card(("a", "b"), InputSpec((1,), "uint8", 0, 1), "CC0-1.0", "Nobody, 2026", {}, counts, self.origin)

    def files(self, root: Path) -> list[Path]:
        if not (root / "shelf" / "x.txt").is_file():
            raise DataUnavailableError("It is not there.", "Fetch it.")
        return [root / "shelf" / "x.txt"]

    def load(self, part: Part, root: Path) -> Records[Any] | None:
        raise NotImplementedError

    def fixture(self, root: Path) -> None:
        raise NotImplementedError


@pytest.fixture
def shelf(mbti: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Call ``mbti fetch dataset shelf`` with a data root."""
    plugin = ModuleType("shelf_of_a_test")
    component = Component("dataset", "toy/shelf", "shelf_of_a_test:Shelf", "One file")
    plugin.mbti_register = hookimpl(lambda: [component], specname="mbti_register")  # type: ignore[attr-defined]  # a module made here
    plugin.Shelf = Shelf  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, "shelf_of_a_test", plugin)
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "toy=mbti_core.testing.toy_plugin,shelf=shelf_of_a_test")
    monkeypatch.delenv("MBTI_OFFLINE", raising=False)
    return lambda *words: mbti("fetch", "dataset", "shelf", "--data-root", str(tmp_path / "data"), *words)


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(Shelf, "origin", Origin("shelf", (server.offer("x.zip", zipped({"x.txt": b"x" * 5000})),)))
    return server


def test_it_says_what_comes_and_brings_it_once(shelf: Call, published: Server, tmp_path: Path) -> None:
    said = shelf()
    assert (said.code, said.out) == (0, "")
    first, licence, cite, file, last = said.err.splitlines()
    assert first == "toy/shelf: 1,200 train, 300 test rows"
    assert (licence, cite) == ("  licence: CC0-1.0", "  cite: Nobody, 2026")
    assert file.startswith("  http://127.0.0.1:")
    assert " B, sha256:" in file
    assert last == f"It is in {tmp_path / 'data' / 'shelf'}."
    again = shelf()
    assert (again.code, again.err) == (0, f"toy/shelf is in {tmp_path / 'data'}. Nothing to do.\n")
    assert published.asked == ["x.zip"]


@pytest.mark.parametrize("how", ["--offline", "MBTI_OFFLINE"])
def test_offline(shelf: Call, published: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("MBTI_OFFLINE", "1" if how == "MBTI_OFFLINE" else "0")
    said = shelf(*([how] if how == "--offline" else []))
    assert said.code == 4
    assert f"error: toy/shelf is not in {tmp_path / 'data'}, and nothing may be downloaded." in said.err
    assert published.asked == []
    assert not (tmp_path / "data").exists()


def test_what_only_a_person_can_get(shelf: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shelf, "origin", Origin("shelf", by_hand="Write to Nobody."))
    said = shelf()
    assert said.code == 4
    assert said.err.splitlines()[-2].startswith("error: toy/shelf is not offered to programs; the data root is ")
    assert said.err.splitlines()[-1] == "  Write to Nobody."


def test_what_needs_no_fetching(shelf: Call, mbti: Call) -> None:
    assert "comes with its package. Nothing to do." in mbti("fetch", "dataset", "blobs").err
    said = shelf()
    assert said.code == 2
    assert "toy/shelf is not published: there is nothing to fetch." in said.err
    unknown = mbti("fetch", "dataset", "shef")
    assert (unknown.code, "Did you mean shelf?" in unknown.err) == (3, True)


def test_an_interrupt(shelf: Call, published: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*words: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fetch", interrupt)
    said = shelf()
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith("interrupted: the same command goes on")


def test_what_the_loader_does_not_know(shelf: Call, published: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shelf, "origin", Origin("shelf", (published.offer("y.zip", zipped({"y.txt": b"y"})),)))
    said = shelf()
    assert (said.code, said.err.splitlines()[-2]) == (4, "error: It is not there.")


def test_a_bar_on_a_terminal(shelf: Call, published: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert shelf().code == 0
    assert "x.zip" in terminal.getvalue()
    assert "bytes" in terminal.getvalue()
