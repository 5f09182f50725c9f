"""What readers of anyone's own texts share: classes found in the files, a test part split off where there is none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, ClassVar, NoReturn

from pydantic import Field

from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.data.reading import listed
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.datasets.labelled import Labelled, is_integer, share_of
from mbti_text.sample import INPUT, Text

_LABEL_HINT = "Correct the label, or name the classes with dataset.class_names."
TestShare = Annotated[float, Field(gt=0.0, lt=1.0)]
"""Share of each class that is split off for testing where there is no test part."""


class OwnTexts(DatasetSource[Text]):
    """Texts of your own in a folder below the data root."""

    place: ClassVar[str]

    text: str = "text"
    label: str = "label"
    class_names: tuple[str, ...] = ()
    test_share: TestShare = 0.2

    @abstractmethod
    def found(self, part: Part, base: Path) -> list[Path]:
        """Return the files of a part; none if there is no such part.

        Raises:
            DataUnavailableError: If the part is not whole.
        """

    @abstractmethod
    def labelled(self, files: Sequence[Path]) -> Labelled:
        """Open the files of a part.

        Raises:
            DataUnavailableError: If a file may not be read.
            DataFormatError: If a file does not hold texts with labels; names the file and the row.
        """

    @abstractmethod
    def expected(self, part: Part) -> str:
        """Say which files of a part are looked for."""

    def card(self) -> Card:
        """Describe what is known without reading: the classes, if they are settings."""
        return Card(classes=self.class_names, input=INPUT, licence="that of your texts", citation="", facts={})

    def classes(self, root: Path) -> Sequence[str]:
        """Return the names in ``class_names``, else those in the files, else the labels of the training rows."""
        if self.class_names:
            return self.class_names
        files = self._train(root)
        train = self.labelled(files)
        names = train.declared or train.ordered()
        if len(names) < 2 or (not train.declared and 2 * len(names) > len(train.code)):
            raise DataFormatError(
                f"{files[0]}: expected at least two classes, of two rows each on average; found {len(names)} "
                f"different labels in {len(train.code)} rows.",
                "Name the column or field that holds the label as dataset.label.",
            )
        return names

    def files(self, root: Path) -> list[Path]:
        """List the files of both parts, or those of the one that there is."""
        return self._train(root) + self._test(root)

    def load(self, part: Part, root: Path) -> Records[Text] | None:
        """Open a part; there is no validation part."""
        if part == "validation":
            return None
        train, test, names = self._train(root), self._test(root), self.classes(root)
        if not test:
            return share_of(self._records(train, names), self.test_share, part, str(train[0]))
        return self._records(train if part == "train" else test, names)

    def _records(self, files: Sequence[Path], names: Sequence[str]) -> Records[Text]:
        """Return rows with classes; integers number the classes that the settings name."""
        rows = self.labelled(files)
        numbered = bool(self.class_names) and all(map(is_integer, rows.values)) and not set(rows.values) & set(names)
        return rows.records([str(n) for n in range(len(names))] if numbered else names, _LABEL_HINT)

    def _base(self, root: Path) -> Path:
        return root / (self.folder or self.place)

    def _train(self, root: Path) -> list[Path]:
        return self.found("train", self._base(root)) or self._missing("train", root)

    def _test(self, root: Path) -> list[Path]:
        """Return the test files; none where none were asked for by name, and none are there."""
        usual = self.expected("test") == type(self)().expected("test")
        return self.found("test", self._base(root)) or ([] if usual else self._missing("test", root))

    def _missing(self, part: Part, root: Path) -> NoReturn:
        raise DataUnavailableError(
            f"There is no {self.expected(part)} in {self._base(root)}.",
            "Put your texts there, or name their folder with dataset.folder.",
        )


def matching(base: Path, pattern: str) -> list[Path]:
    """Return the sorted files in a folder whose names match a pattern with ``*`` and ``?``.

    Raises:
        DataFormatError: If they are of several kinds: the same rows might be in each.
    """
    names = [name for name in listed(base) if not name.startswith(".") and fnmatch(name, pattern)]
    if len({Path(name).suffix for name in names}) > 1:
        raise DataFormatError(
            f"{base}: {pattern} fits files of several kinds: {', '.join(names)}.",
            "Name those to read with dataset.train_files and dataset.test_files.",
        )
    return [base / name for name in names]
