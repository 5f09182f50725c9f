"""Reading what a person points to: one clear error for each way it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mbti_core.data.reading import listed, not_there, not_whole, reading
from mbti_core.errors import DataFormatError, DataUnavailableError, NotSupportedError


def test_a_listing_is_sorted_and_empty_where_there_is_no_folder(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert listed(tmp_path) == ["a", "b", "c"]
    assert listed(tmp_path / "nowhere") == listed(tmp_path / "a") == []


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)  # a test that runs as root may read everything
    with pytest.raises(DataUnavailableError, match="may not be read: permission denied") as caught:
        listed(tmp_path)
    assert "chmod" in caught.value.hint


def test_what_goes_wrong_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    with pytest.raises(DataUnavailableError) as missing, reading(file, "a text file"):
        file.read_bytes()
    assert missing.value.message == f"There is no file {str(file)!r}."
    with pytest.raises(DataFormatError) as broken, reading(file, "a number", (ValueError,)):
        int("x\ny")
    assert broken.value.message.startswith(f"{file}: expected a number; invalid literal")
    with (
        pytest.raises(DataFormatError, match="expected a number; ValueError"),
        reading(file, "a number", (ValueError,)),
    ):
        raise ValueError
    with pytest.raises(NotSupportedError), reading(file, "a number", (Exception,)):
        raise NotSupportedError("our own errors pass")
    with pytest.raises(KeyError), reading(file, "a number", (ValueError,)):
        raise KeyError("a mistake in the program")


def test_a_data_set_that_is_missing(tmp_path: Path) -> None:
    error = not_there("toy/points", tmp_path, "points.npy")
    assert error.message == f"points is not in {tmp_path}: there is no points.npy."
    assert error.hint.startswith("Run 'mbti fetch dataset toy/points' where there is a network")
    assert not_whole("toy/points", tmp_path, ["a", "b"]).message == f"points is not whole in {tmp_path}; missing: a, b."
