"""Reading text files: lines, encodings, and what is no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.files import Lines, fit_text, whole_text


def lines_of(path: Path) -> list[tuple[int, int, str]]:
    with Lines(path) as lines:
        return [(lines.number, lines.end, line) for line in lines]


def test_lines_with_their_numbers_and_offsets(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes("é one\r\n\ntwo\u2028still two\nthree".encode())
    sizes = [8, 9, 9 + 16, 9 + 16 + 5]
    assert lines_of(file) == [
        (n, end, line)
        for n, (end, line) in enumerate(
            zip(sizes, ["é one\r\n", "\n", "two\u2028still two\n", "three"], strict=True), 1
        )
    ]
    assert sizes[-1] == file.stat().st_size


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    assert [line for _, _, line in lines_of(file)] == ["one\n", "two\n"]
    assert whole_text(file) == "one\ntwo"


@pytest.mark.parametrize(("mark", "offset"), [(b"", 12), (b"\xef\xbb\xbf", 15)])
def test_latin_1_is_named_by_line_and_byte(mark: bytes, offset: int, tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(mark + "plain\nun café\n".encode("latin1"))
    with pytest.raises(DataFormatError) as caught:
        lines_of(file)
    assert caught.value.message == f"{file}: line 2: the byte 0xe9 at offset {offset} is not UTF-8."
    assert caught.value.hint == f"Convert it: 'iconv -f latin1 -t utf-8 {file} > NEW'."
    assert file.read_bytes()[offset] == 0xE9


def test_latin_1_in_a_first_line_behind_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"\xef\xbb\xbfcaf\xe9")
    with pytest.raises(DataFormatError, match="byte 0xe9 at offset 6 is not UTF-8"):
        whole_text(file)


def test_utf_16_is_recognized(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("text", encoding="utf-16")
    with pytest.raises(DataFormatError, match="offset 0 is not UTF-8") as caught:
        whole_text(file)
    assert "iconv -f utf-16" in caught.value.hint


def test_nul_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"one\ntw\0o\n")
    with pytest.raises(DataFormatError, match="line 2: there is a NUL byte at offset 6") as caught:
        lines_of(file)
    assert str(file) in caught.value.message


@pytest.mark.parametrize("text", ["", " \n\t", "\u2003"])
def test_nothing_is_no_text(text: str) -> None:
    with pytest.raises(DataFormatError, match="file, row 3: the text is empty"):
        fit_text(text, "file, row 3")


def test_what_cannot_be_stored() -> None:
    with pytest.raises(DataFormatError, match="holds the character NUL at place 2"):
        fit_text("ab\0", "here")
    with pytest.raises(DataFormatError, match=r"holds '\\ud83d' at place 1, half of a surrogate pair"):
        fit_text("a\ud83d", "here")


@pytest.mark.parametrize("text", ["שלום עולם", "‏مرحبا‏ بالعالم", "👩‍👩‍👧 ok 🏳️‍🌈", "a " * 100_000 + "b"])
def test_any_script_and_length_passes(text: str) -> None:
    assert fit_text(f" {text}\n", "here") == text


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"There is no file .*nowhere\.txt"):
        lines_of(tmp_path / "nowhere.txt")
