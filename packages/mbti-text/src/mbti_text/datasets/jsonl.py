"""Anyone's own texts: an object a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mbti_core.contracts.dataset import Part
from mbti_text.datasets.labelled import Labelled
from mbti_text.datasets.own import OwnTexts, matching
from mbti_text.datasets.row_files import JsonFile, gathered


class Jsonl(OwnTexts):
    """Texts of your own as JSON lines: ``train.jsonl`` and ``test.jsonl`` in a folder below the data root.

    ``folder`` names that folder; it may be an absolute path. Each line is an object with a text and a label. A label is
    a name or an integer; the classes are the labels of the training rows, sorted by number if all are integers, else by
    name. Files are UTF-8. Without test rows, a share of each class is split off by a hash of the texts: which they are
    depends neither on a seed nor on the order of the rows.

    Args:
        train_files: Name of the training file, or a pattern with ``*``; several files are read in the order of their
            names.
        test_files: The same for test rows.
        text: Field that holds the text.
        label: Field that holds the label.
        class_names: Classes in label order, where labels are integers from 0, or where the order of names matters.
        test_share: Share of each class that is split off for testing where there are no test files; at least one row
            is.

    Shape: ``str``, without the white space around it.
    Raises: DataUnavailableError, DataFormatError: With the file and the line at fault.
    """

    place = "jsonl"

    train_files: str = "train.jsonl"
    test_files: str = "test.jsonl"

    def found(self, part: Part, base: Path) -> list[Path]:
        """Return the files whose names match."""
        return matching(base, self.expected(part))

    def labelled(self, files: Sequence[Path]) -> Labelled:
        """Open files of objects."""
        return gathered([JsonFile(file, self.text, self.label) for file in files])

    def expected(self, part: Part) -> str:
        """Name the file."""
        return self.train_files if part == "train" else self.test_files

    def fixture(self, root: Path) -> None:
        """Write two classes in both parts, in several scripts."""
        folder = root / (self.folder or self.place)
        folder.mkdir(parents=True)
        words = {"praise": ("good", "جميل", "棒 👍"), "blame": ("bad", "سيئ", "差 👎")}
        for part, count in (("train", 4), ("test", 2)):
            rows = [
                {"text": f"{word} {part} {n}", "label": label}
                for n in range(count)
                for label, some in words.items()
                for word in some
            ]
            lines = [json.dumps(row, ensure_ascii=bool(n % 2)) + "\n" for n, row in enumerate(rows)]
            (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
