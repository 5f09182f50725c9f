"""Reading text files: what is not UTF-8, or holds nothing, is named by file, line and byte."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from types import TracebackType
from typing import Self

from mbti_core.data.reading import reading
from mbti_core.errors import DataFormatError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HALF = re.compile("[\ud800-\udfff]")


class Lines:
    """The lines of a UTF-8 file, one at a time; a byte order mark is passed over.

    Attributes:
        path: The file.
        number: How many lines were given.
        end: Offset in bytes behind the last of them.

    Raises:
        DataUnavailableError: If the file is missing or may not be read.
        DataFormatError: At a line that is not UTF-8, or holds a NUL byte.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path, "a text file"):
            self._stream = path.open("rb")
        self.number = 0
        self.end = 0

    def __enter__(self) -> Self:
        """Return the lines; the file is closed behind the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self._stream.close()

    def __iter__(self) -> Self:
        """Return the lines themselves."""
        return self

    def __next__(self) -> str:
        """Return the next line with its end."""
        raw = self._stream.readline()
        if not raw:
            raise StopIteration
        self.number += 1
        text = _decoded(raw, f"{self.path}: line {self.number}:", self.path, self.end)
        self.end += len(raw)
        return text


def whole_text(path: Path) -> str:
    """Return the text that a file of its own holds, without the white space around it.

    Raises:
        DataUnavailableError: If the file is missing or may not be read.
        DataFormatError: If it is empty, not UTF-8, or holds a NUL byte.
    """
    with reading(path, "a text file"):
        raw = path.read_bytes()
    return fit_text(_decoded(raw, f"{path}:", path, 0), str(path))


def fit_text(text: str, where: str) -> str:
    """Return a text without the white space around it.

    Args:
        text: As it stands in a file.
        where: File and row, for messages.

    Raises:
        DataFormatError: If nothing is left, or what is left cannot be stored: it holds NUL, or half of a character.
    """
    text = text.strip()
    if not text:
        raise DataFormatError(f"{where}: the text is empty.", "Fill it in, or remove the row.")
    if (nul := text.find("\0")) >= 0:
        raise DataFormatError(f"{where}: the text holds the character NUL at place {nul}.", "Remove it.")
    if not text.isascii() and (half := _HALF.search(text)):
        raise DataFormatError(
            f"{where}: the text holds {half[0]!a} at place {half.start()}, half of a surrogate pair.",
            "Write characters beyond U+FFFF as UTF-8, or as both halves of the pair.",
        )
    return text


def _decoded(raw: bytes, where: str, path: Path, start: int) -> str:
    """Return what bytes say that begin at an offset of a file."""
    encoding = "utf-16" if start == 0 and raw.startswith(_UTF16) else "latin1"
    convert = f"Convert it: 'iconv -f {encoding} -t utf-8 {path} > NEW'."
    try:
        text = raw.decode("utf-8-sig" if start == 0 else "utf-8")
    except UnicodeDecodeError as error:
        # The offset is counted without a byte order mark.
        at = error.start + (len(codecs.BOM_UTF8) if start == 0 and raw.startswith(codecs.BOM_UTF8) else 0)
        raise DataFormatError(
            f"{where} the byte {raw[at]:#04x} at offset {start + at} is not UTF-8.", convert
        ) from error
    if "\0" in text:
        at = start + raw.index(b"\0")
        raise DataFormatError(f"{where} there is a NUL byte at offset {at}.", "Copy or download the file again.")
    return text
