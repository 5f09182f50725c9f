"""Two collections in one layout: comma-separated rows of class, title and text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mbti_core.contracts.dataset import DatasetSource, Part, Records
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataFormatError
from mbti_text.datasets.row_files import Columns, Layout, TableFile, gathered
from mbti_text.files import Lines
from mbti_text.sample import Text

CITATION = "Zhang, Zhao and LeCun, Character-level Convolutional Networks for Text Classification, NIPS 2015"
_LAYOUT = Layout(
    ",",
    quotes=True,
    hint="The original has no header line, three fields a row, and two quotes for one inside a field. "
    "Copy or download the file again.",
)
_COLUMNS = Columns(("class", "title", "text"), (1, 2), 0)


class TopicCsv(DatasetSource[Text]):
    """``train.csv`` and ``test.csv`` without a header: class from 1, title, text; class names in ``classes.txt``.

    Title and text are joined by a space; an empty title is left out.
    """

    names: ClassVar[Sequence[str]]
    component: ClassVar[str]
    place: ClassVar[str]

    def files(self, root: Path) -> list[Path]:
        """List both files, and the one with the class names where it is."""
        base = root / (self.folder or self.place)
        found = listed(base)
        missing = [name for name in ("train.csv", "test.csv") if name not in found]
        if len(missing) == 2:
            raise not_there(self.component, base, " and ".join(missing))
        if missing:
            raise not_whole(self.component, base, missing)
        return [base / name for name in ("train.csv", "test.csv", "classes.txt") if name in found]

    def load(self, part: Part, root: Path) -> Records[Text] | None:
        """Open a part; there is no official validation part."""
        if part == "validation":
            return None
        train, test, *classes = self.files(root)
        for file in classes:
            self._check_names(file)
        labels = tuple(str(n + 1) for n in range(len(self.names)))
        return gathered([TableFile(train if part == "train" else test, _LAYOUT, _COLUMNS)]).records(
            labels, _LAYOUT.hint
        )

    def _check_names(self, file: Path) -> None:
        with Lines(file) as lines:
            found = [name for line in lines if (name := line.strip())]
        if found != list(self.names):
            raise DataFormatError(
                f"{file}: expected the classes {', '.join(self.names)}; found {', '.join(found[:20])}.",
                f"Put {self.component.rpartition('/')[2]} there, or name its folder with dataset.folder.",
            )

    def fixture(self, root: Path) -> None:
        """Write three training rows and a test row of each class: with a title, without one, with quotes in it."""
        folder = root / (self.folder or self.place)
        folder.mkdir(parents=True)
        for part, kinds in (("train", ("{0}", "", 'a ""{0}""')), ("test", ("On {0}",))):
            rows = [
                f'{c + 1},"{kind.format(name)}","{part.capitalize()} row {c}.{n}, about {name}; it costs \\$36\\n."\n'
                for n, kind in enumerate(kinds)
                for c, name in enumerate(self.names)
            ]
            (folder / f"{part}.csv").write_text("".join(rows), encoding="utf-8")
        (folder / "classes.txt").write_text("".join(f"{name}\n" for name in self.names), encoding="utf-8")
