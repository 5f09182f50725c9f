"""Published files: download, check, unpack, and put in place in one step."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from mbti_core.contracts.dataset import Download, Origin
from mbti_core.errors import DataFormatError, DataUnavailableError

_CHUNK = 1 << 20
_PATIENCE = 30  # seconds without an answer
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError)


class Meter(Protocol):
    """Shows how far a download is; what pooch calls a progress bar."""

    total: int

    def update(self, amount: int) -> None:
        """Go on by so many bytes."""

    def reset(self) -> None:
        """Start over."""

    def close(self) -> None:
        """Be done."""


def fetch(origin: Origin, root: Path, meter: Callable[[Download], Meter] | None = None) -> Path:
    """Download what a data set is published as, and put it below the data root.

    Until everything is there, checked and unpacked, it lies in a folder ``.NAME.part`` beside its place; after a
    failure the next call goes on with the files that are whole.

    Args:
        origin: What to get.
        root: The data root.
        meter: Makes what shows a download's progress; None shows nothing.

    Returns:
        The folder of the data set.

    Raises:
        DataUnavailableError: If something else is in its place, a file cannot be had, or the root not be written.
        DataFormatError: If a file does not have its checksum, or an archive is not fit to unpack.
    """
    place = root / origin.folder
    staging = place.with_name(f".{place.name}.part")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DataUnavailableError(
            f"{place} is there, but does not hold the whole data set.", "Move it away, or name another --data-root."
        )
    with _writing(root), _alone(staging):
        archives = [_downloaded(d, staging, meter(d) if meter else None) for d in origin.downloads]
        made = staging / "unpacked"
        shutil.rmtree(made, ignore_errors=True)
        for download, archive in zip(origin.downloads, archives, strict=True):
            _unpack(archive, made / download.into, download.strip)
        made.rename(place)
        shutil.rmtree(staging)
    return place


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataUnavailableError(
            f"{root} cannot be written: {error.strerror or error}.", "Choose another folder with --data-root."
        ) from error


@contextmanager
def _alone(staging: Path) -> Iterator[None]:
    staging.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(staging / "lock", timeout=0):
            yield
    except Timeout as error:
        raise DataUnavailableError(
            f"Another process is filling {staging}.", "Wait until it is done, then run the command again."
        ) from error


def _downloaded(download: Download, folder: Path, meter: Meter | None) -> Path:
    """Return the file, which is not downloaded again if it is there with its checksum."""
    import pooch  # type: ignore[import-untyped]  # noqa: PLC0415 - one use; it has no types
    import requests  # noqa: PLC0415 - as above

    pooch.get_logger().setLevel("ERROR")  # it tells of each file, to a person who did not choose the library
    kind, _, digest = download.checksum.partition(":")
    name = PurePosixPath(urlsplit(download.url).path).name
    try:
        got = pooch.retrieve(
            download.url,
            known_hash=f"{kind}:{digest}",
            fname=name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=meter or False, chunk_size=_CHUNK, timeout=_PATIENCE),
        )
    except requests.RequestException as error:
        raise DataUnavailableError(
            f"{download.url} cannot be downloaded: {_reason(error)}.",
            "Check the network, then run the command again; files that are whole are kept.",
        ) from error
    except ValueError as error:  # pooch's word for another checksum
        raise DataFormatError(
            f"{download.url} gave a file without the checksum {download.checksum}.",
            "Run the command again. If it says the same, the file has changed: do not use it before you know why.",
        ) from error
    return Path(got)


def _reason(error: Any) -> str:
    import requests  # noqa: PLC0415 - one use

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer for {_PATIENCE} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    return "no connection to the server"


def _unpack(archive: Path, folder: Path, strip: str) -> None:
    """Write an archive's files below ``folder``, or another file itself.

    Only plain files are written, under names that stay below the folder, whatever an archive says of links or owners.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not archive.name.endswith(_ARCHIVES):
        shutil.copyfile(archive, folder / archive.name)
        return
    try:
        for name, stream in _members(archive):
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise DataFormatError(
                    f"{archive}: holds {name!r}, which leads out of the archive's folder.",
                    "Do not unpack it; tell its publishers.",
                )
            if path.is_relative_to(strip):
                target = folder / path.relative_to(strip)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
    except _BROKEN as error:
        raise DataFormatError(f"{archive}: cannot be unpacked: {error}.", "Delete it and fetch it again.") from error


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the files of an archive: name, and what to read."""
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if not info.is_dir():
                    with opened.open(info) as stream:
                        yield info.filename, stream
        return
    with tarfile.open(archive, "r|*") as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isfile() else None
            if content is None and not member.isdir():
                raise DataFormatError(
                    f"{archive}: holds {member.name!r}, which is neither a file nor a folder.",
                    "Do not unpack it; tell its publishers.",
                )
            if content is not None:
                yield member.name, content
