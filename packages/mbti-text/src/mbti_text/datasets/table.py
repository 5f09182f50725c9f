"""Anyone's own texts: a table with a header."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from mbti_core.contracts.dataset import Part
from mbti_text.datasets.labelled import Labelled
from mbti_text.datasets.own import OwnTexts, matching
from mbti_text.datasets.row_files import Layout, TableFile, gathered

_COMMAS = Layout(
    ",",
    quotes=True,
    hint="Name the columns in the first line, and tell them with dataset.text and dataset.label. A text with a comma, "
    "a quote or a line break stands in quotes, and a quote inside it is written twice.",
)
_TABS = Layout(
    "\t",
    quotes=False,
    hint="Name the columns in the first line, and tell them with dataset.text and dataset.label. A text cannot hold a "
    "tab or a line break; where quotes protect them, set dataset.quotes.",
)


class Table(OwnTexts):
    """Texts of your own as a table: ``train.csv`` and ``test.csv``, or ``.tsv``, in a folder below the data root.

    ``folder`` names that folder; it may be an absolute path. The first line names the columns. In a file that ends in
    .tsv, tabs stand between the fields, and quotes are characters like any other; in all others commas do, and a field
    may stand in quotes. A label is a name or an integer; the classes are the labels of the training rows, sorted by
    number if all are integers, else by name. Files are UTF-8. Without test rows, a share of each class is split off by
    a hash of the texts: which they are depends neither on a seed nor on the order of the rows.

    Args:
        train_files: Name of the training file, or a pattern with ``*``; several files are read in the order of their
            names.
        test_files: The same for test rows.
        text: Column that holds the text.
        label: Column that holds the label.
        class_names: Classes in label order, where labels are integers from 0, or where the order of names matters.
        quotes: Whether a field of a .tsv file may stand in quotes, as spreadsheets and pandas write it.
        test_share: Share of each class that is split off for testing where there are no test files; at least one row
            is.

    Shape: ``str``, without the white space around it.
    Raises: DataUnavailableError, DataFormatError: With the file and the line at fault.
    """

    place = "csv"

    train_files: str = "train.*"
    test_files: str = "test.*"
    quotes: bool = False

    def found(self, part: Part, base: Path) -> list[Path]:
        """Return the files whose names match."""
        return matching(base, self.expected(part))

    def labelled(self, files: Sequence[Path]) -> Labelled:
        """Open tables."""
        return gathered([TableFile(file, self._layout(file), (self.text, self.label)) for file in files])

    def expected(self, part: Part) -> str:
        """Name the file."""
        return self.train_files if part == "train" else self.test_files

    def _layout(self, file: Path) -> Layout:
        if file.suffix != ".tsv":
            return _COMMAS
        return Layout(_TABS.separator, quotes=True, hint=_COMMAS.hint) if self.quotes else _TABS

    def fixture(self, root: Path) -> None:
        """Write two classes in both parts, with commas, quotes and line breaks."""
        folder = root / (self.folder or self.place)
        folder.mkdir(parents=True)
        kinds = ("{0}", "{0}, and again", 'they said "{0}"', "{0}\nin two lines")
        for part, count in (("train", 3), ("test", 1)):
            with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file)
                table.writerow(("id", "text", "label"))
                for n in range(count):
                    for kind in kinds:
                        for label, word in (("praise", "good"), ("blame", "bad")):
                            table.writerow((n, f"{kind.format(word)} ({part} {n})", label))
