"""IMDb film reviews: a file each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Part, Records
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.datasets.labelled import AGAIN, Array
from mbti_text.files import whole_text
from mbti_text.sample import INPUT, Text

_ID = "text/imdb"
_RATINGS = {"neg": range(1, 5), "pos": range(7, 11)}
_NAME = re.compile(r"(\d+)_(\d+)\.txt")
_ORIGIN = Origin(
    "aclImdb",
    (
        Download(
            "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
            "sha256:c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
            84_125_825,
            strip="aclImdb",
        ),
    ),
)
_FIXTURE = {
    "neg": ("Two hours that I will not get back.", "The plot is <br /><br />simply absent.", "Dull, and loud.", "No!"),
    "pos": ("A quiet film that stays with you.", "I laughed.<br /><br />I cried.", "Très bien — see it twice.", "Yes."),
}


class Imdb(DatasetSource[Text]):
    """Film reviews of about 230 words, negative (at most 4 stars of 10) or positive (at least 7).

    Looks below the data root for ``aclImdb/{train,test}/{neg,pos}/<id>_<rating>.txt``; ``unsup`` has no labels and is
    passed over. Rows stand in the order of class and file name. The markup ``<br />`` stays in the texts.

    Shape: ``str``.
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    Source: A. Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011.
    """

    def card(self) -> Card:
        """Describe IMDb."""
        return Card(
            classes=("negative", "positive"),
            input=INPUT,
            licence="no licence stated by its publishers, who ask to cite their paper",
            citation="Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011",
            facts={},
            counts={"train": 25_000, "test": 25_000},
            origin=_ORIGIN,
        )

    def files(self, root: Path) -> list[Path]:
        """List the folder of each class in each part."""
        return [folder for part in ("train", "test") for folder in self._folders(part, root)]

    def load(self, part: Part, root: Path) -> Records[Text] | None:
        """Open a part; there is no official validation part."""
        if part == "validation":
            return None
        found = [(folder / name, c) for c, folder in enumerate(self._folders(part, root)) for name in _reviews(folder)]

        def read(rows: Array) -> Text:
            return [whole_text(found[row][0]) for row in rows.tolist()]

        return Records(np.array([c for _, c in found], dtype=np.int64), read)

    def fixture(self, root: Path) -> None:
        """Write both parts, and one review without a label."""
        base = root / (self.folder or "aclImdb")
        for part in ("train", "test"):
            for name, texts in _FIXTURE.items():
                folder = base / part / name
                folder.mkdir(parents=True)
                for number, text in enumerate(texts):
                    file = folder / f"{number}_{_RATINGS[name][number]}.txt"
                    file.write_text(f"{text} ({part} {number})", encoding="utf-8")
        (base / "train" / "unsup").mkdir()
        (base / "train" / "unsup" / "0_0.txt").write_text("Nobody rated this.", encoding="utf-8")

    def _folders(self, part: str, root: Path) -> list[Path]:
        base = root / (self.folder or "aclImdb")
        names = listed(base / part)
        missing = [name for name in _RATINGS if name not in names]
        if "unsup" in names and len(missing) == len(_RATINGS):
            raise DataUnavailableError(
                f"{base / part} holds only unsup, whose reviews have no labels.",
                f"Unpack {' and '.join(missing)} of the archive too, or run 'mbti fetch dataset {_ID}'.",
            )
        if not listed(base):
            raise not_there(_ID, base, "train/pos and train/neg")
        if missing:
            raise not_whole(_ID, base, [f"{part}/{name}" for name in missing])
        return [base / part / name for name in _RATINGS]


def _reviews(folder: Path) -> list[str]:
    """Return the sorted names of the reviews of a class; each says its rating, which has to fit the class."""
    names = [name for name in listed(folder) if not name.startswith(".")]
    ratings = _RATINGS[folder.name]
    for name in names:
        match = _NAME.fullmatch(name)
        if not match or int(match[2]) not in ratings:
            raise DataFormatError(
                f"{folder / name}: expected a name <id>_<rating>.txt with a rating from {ratings[0]} to {ratings[-1]}.",
                "Remove the file, or download the data set again.",
            )
    if not names:
        raise DataFormatError(f"{folder} holds no review.", AGAIN)
    return names
