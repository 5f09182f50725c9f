"""Anyone's own recordings: one folder per class."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mbti_audio.datasets.labelled import Labelled, folders_in, joined
from mbti_audio.datasets.tiny import write_sounds
from mbti_audio.sample import INPUT
from mbti_audio.waves import Rate, Waves
from mbti_core.contracts.dataset import Card, DatasetSource, Part, Records
from mbti_core.data.reading import listed
from mbti_core.errors import DataFormatError, DataUnavailableError

_SUFFIXES = (".wav", ".flac", ".ogg")
_FIXTURE_ROWS = {"train": 12, "test": 6}
_FIXTURE_CLASSES = tuple(enumerate(("high", "low")))


class Clips(DatasetSource[Waves]):
    """Recordings of your own: ``train/<class>/*`` and ``test/<class>/*`` in a folder below the data root.

    ``folder`` names that folder; it may be an absolute path. Classes are the folders in ``train``, sorted by name.
    Files that end in .wav, .flac or .ogg are clips, in folders inside a class too; others, and names that start with a
    dot or an underscore, are passed over. They may have any rate, length and number of channels. Without ``test``, a
    share of each class is split off by a hash of the clips' paths within the folder: recordings of one speaker or one
    session then stand in both parts, and accuracy is higher than on new ones.

    Args:
        rate: Samples per second that every clip is brought to.
        test_share: Share of each class that is split off for testing where there is no folder ``test``; at least one
            clip is.

    Shape: (B, T) in [-1, 1].
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    """

    rate: Rate = 16_000
    test_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2

    def card(self) -> Card:
        """Describe what is known without reading: the rate."""
        return Card(classes=(), input=INPUT, licence="that of your recordings", citation="", facts={"rate": self.rate})

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the names of the folders in ``train``."""
        train = self._train(root)
        found = folders_in(train)
        if len(found) < 2:
            raise DataFormatError(
                f"{train}: expected a folder per class, at least two, found {len(found)}.",
                "Put the clips of each class into a folder of its own there.",
            )
        return tuple(found)

    def files(self, root: Path) -> list[Path]:
        """List the folder of each part."""
        train = self._train(root)
        return [part for part in (train, train.with_name("test")) if part.is_dir()]

    def load(self, part: Part, root: Path) -> Records[Waves] | None:
        """Open a part; there is no validation part."""
        if part == "validation":
            return None
        train, names = self._train(root), self.classes(root)
        apart = train.with_name("test")
        if apart.is_dir():
            return _labelled(train if part == "train" else apart, names).records(self.rate)
        return self._share(_labelled(train, names), train, part).records(self.rate)

    def fixture(self, root: Path) -> None:
        """Write two classes in both parts, in three formats and two rates."""
        base = root / (self.folder or "clips")
        for part, count in _FIXTURE_ROWS.items():
            for rate in (8000, 16_000):
                rows = [n for n in range(count) if (n % 2 == 0) == (rate == 8000)]
                suffixes = {n: _SUFFIXES[n % len(_SUFFIXES)] for n in rows}
                sounds = [
                    (base / part / name / f"{n:02d}{suffixes[n]}", c) for n in rows for c, name in _FIXTURE_CLASSES
                ]
                write_sounds(sounds, rate)

    def _train(self, root: Path) -> Path:
        base = root / (self.folder or "clips")
        if "train" not in listed(base):
            raise DataUnavailableError(
                f"There is no folder train in {base}.",
                "Put clips into train/<class> there, or name their folder with dataset.folder.",
            )
        return base / "train"

    def _share(self, whole: Labelled, train: Path, part: Part) -> Labelled:
        """Return the rows of a part where ``test`` is split off ``train``."""
        rows: list[int] = []
        for c in sorted(set(whole.labels)):
            mine = [row for row, label in enumerate(whole.labels) if label == c]
            marked = sorted(mine, key=lambda row: _mark(Path(whole.files[row]), train))
            tested = set(marked[: max(1, round(self.test_share * len(mine)))])
            if len(tested) == len(mine):
                raise DataFormatError(
                    f"{train}: a class has too few clips ({len(mine)}) to split off {self.test_share:.0%} for testing.",
                    "Add clips, or put test clips into a folder test beside it.",
                )
            rows += [row for row in mine if (row in tested) == (part == "test")]
        return Labelled([whole.files[row] for row in rows], [whole.labels[row] for row in rows])


def _mark(file: Path, train: Path) -> bytes:
    return hashlib.sha256(file.relative_to(train).as_posix().encode()).digest()


def _labelled(folder: Path, classes: tuple[str, ...]) -> Labelled:
    strays = [name for name in listed(folder) if name.lower().endswith(_SUFFIXES) and name[0] != "."]
    if strays:
        raise DataFormatError(f"{folder / strays[0]} lies in no class.", "Move it into the folder of its class.")
    files: list[str] = []
    labels: list[int] = []
    for name in folders_in(folder):
        if name not in classes:
            raise DataFormatError(
                f"{folder / name}: there is no class {name!r} in {folder.with_name('train')}.",
                "Rename the folder, or add training clips of the class.",
            )
        clips = clips_below(folder / name)
        if not clips:
            raise DataFormatError(
                f"{folder / name} holds no clip ({', '.join(_SUFFIXES)}), and stands for a class.",
                "Copy its clips again, or remove the folder.",
            )
        files += joined(folder / name, clips)
        labels += [classes.index(name)] * len(clips)
    return Labelled(files, labels)


def clips_below(folder: Path) -> list[str]:
    """Return the sorted paths of the clips in a folder and those inside it, relative to it, with slashes."""
    names = [name for name in listed(folder) if name.lower().endswith(_SUFFIXES) and name[0] != "."]
    return names + [f"{inner}/{name}" for inner in folders_in(folder) for name in clips_below(folder / inner)]
