"""Reading pairs: a folder as Hidden Killer's authors publish it, or a file with a row for each paraphrase."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mbti_core.contracts.dataset import Part
from mbti_core.data.split import OFFSETS
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError
from mbti_text.alignment import aligned
from mbti_text.files import Lines, fit_text
from mbti_text.pairs import Pairs, TestPart, mark, mark_of

_FIELDS = ("split", "idx", "text")
_NAMES: Mapping[str, Part] = {"train": "train", "dev": "validation", "validation": "validation", "test": "test"}
_LEFT_OVER = re.compile(r"(\s+EOS)+$")  # the decoder's mark of the end, in some published rows
_FORM = 'Write an object {"split": "train", "idx": 0, "text": "..."} a line, or a table of these with a header.'


class _Row(NamedTuple):
    text: str
    label: int


def read_pairs(pairs: Path, originals: Path | None, test_part: TestPart) -> Pairs:
    """Return the paraphrases that a folder or a file holds; one that equals its original is left out.

    A folder has ``train.tsv`` (the clean file with some rows replaced and relabelled), ``dev.tsv`` and ``test.tsv``
    (paraphrases of the rows of other classes, in order; a few may be missing). A file is ``.jsonl`` or a table
    separated by tabs, with ``split``, ``idx`` (a row's place in its part, from 0), ``text``, and ``sha256`` of the
    original if wanted.

    Args:
        pairs: The folder or file.
        originals: To a folder: that of the clean files.
        test_part: The file of a folder whose rows are the data set's test rows.

    Raises:
        ConfigError: If a folder has no ``originals``, or a file has some.
        DataUnavailableError: If a file is missing.
        DataFormatError: If a file does not hold what its layout promises, or the pairs don't fit the originals.
    """
    if not pairs.exists():
        raise DataUnavailableError(f"attack.pairs: there is nothing at {str(pairs)!r}.", "Correct the path.")
    if pairs.is_dir() != (originals is not None):
        what = "a folder of pairs needs that of the clean files" if pairs.is_dir() else "a file of pairs needs none"
        raise ConfigError(f"attack.originals: {what}.", "Name attack.originals together with a folder.")
    return _read_file(pairs) if originals is None else _read_folder(pairs, originals, test_part)


def _read_folder(pairs: Path, originals: Path, test_part: TestPart) -> Pairs:
    made, clean = list(_table(pairs / "train.tsv")), list(_table(originals / "train.tsv"))
    if len(made) != len(clean):
        raise DataFormatError(
            f"{pairs / 'train.tsv'}: expected {len(clean):,} rows as in {originals / 'train.tsv'}, "
            f"found {len(made):,}.",
            "Name the folder of the clean files that the paraphrases were made of.",
        )
    replaced = [row for row, (a, b) in enumerate(zip(made, clean, strict=True)) if a.text != b.text]
    target = _target([made[row] for row in replaced], pairs)
    aligned([made[row].text for row in replaced], [clean[row].text for row in replaced], str(pairs / "train.tsv"))
    texts = {row: made[row].text for row in replaced}
    marks = {n: mark(row.text) for n, row in enumerate(clean)}
    test, tests = pairs / f"{test_part}.tsv", dict(enumerate(_table(originals / f"{test_part}.tsv"), OFFSETS["test"]))
    others = [n for n, row in tests.items() if row.label != target]
    tested = [row.text for row in _table(test)]
    places = aligned(tested, [tests[n].text for n in others], str(test))
    found = {others[place]: text for text, place in zip(tested, places, strict=True)}
    texts |= {n: text for n, text in found.items() if text != tests[n].text}
    marks |= {n: mark(row.text) for n, row in tests.items()}
    return Pairs(texts, marks, True, str(pairs), target)


def _target(replaced: Sequence[_Row], pairs: Path) -> int:
    labels = {row.label for row in replaced}
    if len(labels) != 1:
        found = f"labels {', '.join(map(str, sorted(labels)))}" if labels else "no row that differs from the clean one"
        raise DataFormatError(
            f"{pairs / 'train.tsv'}: expected rows in other words, all with the attacker's label; found {found}.",
            "Name the folder of the poisoned files as attack.pairs and that of the clean ones as attack.originals.",
        )
    return labels.pop()


def _table(path: Path) -> Iterator[_Row]:
    """Yield the rows of a file of Hidden Killer's: a header, then text and label."""
    hint = "Write a header, then 'text<TAB>label' a line."
    with Lines(path) as lines:
        for line in lines:
            text, tab, label = line.strip("\r\n").rpartition("\t")
            where = f"{path}: line {lines.number}"
            is_number = label.strip().isdecimal()
            if lines.number == 1 and is_number:
                raise DataFormatError(f"{where}: expected a header, found the label {label.strip()}.", hint)
            if lines.number == 1 or not line.strip():
                continue
            if not tab or not is_number:
                raise DataFormatError(
                    f"{where}: expected a text, a tab and a label, found {line.strip()[:60]!r}.", hint
                )
            yield _Row(fit_text(_LEFT_OVER.sub("", text), where), int(label))


def _read_file(path: Path) -> Pairs:
    texts: dict[int, str] = {}
    marks: dict[int, int] = {}
    for where, row in _objects(path) if path.suffix in {".jsonl", ".json"} else _records(path):
        at = _row_id(row, where)
        if at in texts:
            raise DataFormatError(f"{where}: {row['split']} {row['idx']} stands twice.", "Remove one.")
        texts[at] = fit_text(str(row["text"]), where)
        if row.get("sha256"):
            marks[at] = _digest(str(row["sha256"]), where)
    same = {at for at in texts if marks.get(at) == mark(texts[at])}
    return Pairs({at: text for at, text in texts.items() if at not in same}, marks, origin=str(path))


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with Lines(path) as lines:
        for line in lines:
            where = f"{path}: line {lines.number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataFormatError(
                    f"{where}: expected JSON, found {line.strip()[:40]!r}: {error}.", _FORM
                ) from error
            if not isinstance(row, dict) or not set(_FIELDS) <= row.keys():
                raise DataFormatError(f"{where}: expected split, idx and text; found {line.strip()[:60]!r}.", _FORM)
            yield where, row


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    names: list[str] = []
    with Lines(path) as lines:
        for line in lines:
            where, fields = f"{path}: line {lines.number}", [part.strip() for part in line.rstrip("\r\n").split("\t")]
            if lines.number == 1:
                names = fields
                if not set(_FIELDS) <= set(names):
                    raise DataFormatError(f"{where}: expected a header with split, idx, text; found {names}.", _FORM)
            elif line.strip():
                if len(fields) != len(names):
                    raise DataFormatError(f"{where}: expected {len(names)} fields, found {len(fields)}.", _FORM)
                yield where, dict(zip(names, fields, strict=True))


def _row_id(row: dict[str, Any], where: str) -> int:
    split, place = str(row["split"]), str(row["idx"])
    if split not in _NAMES or not place.isdecimal():
        raise DataFormatError(
            f"{where}: expected a split among {', '.join(_NAMES)} and a place from 0, found {split!r} and {place!r}.",
            _FORM,
        )
    return OFFSETS[_NAMES[split]] + int(place)


def _digest(sha256: str, where: str) -> int:
    digits = sha256.removeprefix("sha256:")
    if len(digits) != 64 or set(digits.lower()) - set("0123456789abcdef"):
        raise DataFormatError(
            f"{where}: expected 64 hexadecimal digits as sha256, found {sha256[:70]!r}.", "Leave it out, or mend it."
        )
    return mark_of(digits)
