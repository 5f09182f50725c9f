"""What somebody brings: tables, JSON lines and folders of texts, and folders of the transformers library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mbti_core.contracts.dataset import Records
from mbti_core.contracts.given import GivenData, GivenModel
from mbti_core.data.reading import listed, reading
from mbti_core.errors import DataFormatError
from mbti_core.training.saved_model import saved_classifier
from mbti_text.datasets.jsonl import Jsonl
from mbti_text.datasets.labelled import Array
from mbti_text.datasets.table import Table
from mbti_text.sample import INPUT, Text

_TOKENIZERS = {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model"}
_READERS = {".csv": Table, ".tsv": Table, ".jsonl": Jsonl}


def given_data(path: Path) -> GivenData | None:
    """Open a table with the columns text and label, JSON lines, or a folder of them, or ``<class>/*.txt``.

    Returns:
        None if there is nothing of this kind.

    Raises:
        DataFormatError: If a file does not hold texts with labels; names the file and the row.
        DataUnavailableError: If a file or folder may not be read.
    """
    files = [path] if path.is_file() else [path / name for name in listed(path) if not name.startswith(".")]
    rows = [file for file in files if file.suffix.lower() in _READERS and file.name != "rows.csv"]
    if rows:
        return _of_rows(path, rows)
    parts = [path / part for part in ("train", "test") if (path / part).is_dir()] or [path]
    texts = [
        folder / name
        for part in parts
        for folder in (part / name for name in listed(part) if not name.startswith(".") and (part / name).is_dir())
        for name in listed(folder)
        if name.lower().endswith(".txt") and not name.startswith(".")
    ]
    return _of_files(path, texts) if texts else None


def _of_rows(path: Path, files: Sequence[Path]) -> GivenData:
    kinds = {file.suffix.lower() for file in files}
    if len(kinds) > 1:
        raise DataFormatError(
            f"{path} holds files of several kinds: {', '.join(sorted(kinds))}.", "Name the one to look at."
        )
    rows = _READERS[kinds.pop()]().labelled(files)
    classes = rows.declared or rows.ordered()
    base = f"{path.parent if path.is_file() else path}{os.sep}"
    names = [rows.where(at).removeprefix(base) for at in range(len(rows.code))]
    return GivenData("text", rows.records(classes), names, tuple(classes), INPUT)


def _of_files(path: Path, files: Sequence[Path]) -> GivenData:
    classes = sorted({file.parent.name for file in files})
    labels = np.array([classes.index(file.parent.name) for file in files], dtype=np.int64)

    def read(rows: Array) -> Text:
        return [_text(files[row]) for row in rows.tolist()]

    names = [file.relative_to(path).as_posix() for file in files]
    return GivenData("text", Records(labels, read), names, tuple(classes), INPUT)


def _text(file: Path) -> str:
    with reading(file, "a text in UTF-8", (UnicodeDecodeError,)):
        return file.read_text(encoding="utf-8").strip()


def given_model(path: Path) -> GivenModel | None:
    """Recognize a classifier of texts that the transformers library saved; None if the folder is something else.

    Raises:
        DataFormatError: If it is an encoder without a classifier.
    """
    if not _TOKENIZERS & set(listed(path)):
        return None
    found = saved_classifier(path, lambda kind: kind != "None")
    return GivenModel("text/huggingface", {"path": str(path)}, classes=found[1]) if found else None
