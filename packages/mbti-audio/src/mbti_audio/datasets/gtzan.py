"""GTZAN: half a minute of music in ten genres, in the original layout."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mbti_audio.datasets.labelled import Labelled, joined
from mbti_audio.datasets.tiny import write_sounds
from mbti_audio.sample import INPUT
from mbti_audio.waves import Rate, Waves
from mbti_core.contracts.dataset import Card, DatasetSource, Origin, Part, Records
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataUnavailableError

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_UNREADABLE = "jazz.00054"
_TEST_EVERY = 5
_ORIGIN = Origin(
    "gtzan",
    by_hand="Get genres.tar.gz in WAV form (1.2 GB), for example from the repository marsyas/gtzan of the Hugging Face "
    "hub, and unpack it, so that gtzan/genres/blues/blues.00000.wav is there below the data root.",
)


class Gtzan(DatasetSource[Waves]):
    """Half-minute excerpts of music in ten genres: 442 for training, 197 for validation, 290 for testing.

    Reads ``gtzan/genres/<genre>/<genre>.NNNNN.wav`` below the data root. jazz.00054, which cannot be decoded, is left
    out.

    Args:
        split: ``filtered`` is the published fault-filtered split, divided by artists and without repeated and distorted
            excerpts. ``hashed`` tests on a fifth of each genre, chosen by a hash of the files' names, and
            trains on the rest: for cuts, which lack files of the filtered split. It inflates accuracy, as every random
            split does: excerpts that stand in the data twice, and those of one artist or album, fall into both parts.
        rate: Samples per second; recorded at 22,050.

    Shape: (B, T) in [-1, 1], T about 30 ``rate``.
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    Source: G. Tzanetakis, P. Cook, Musical genre classification of audio signals, IEEE TSAP 10(5), 2002; split:
        C. Kereliuk, B. Sturm, J. Larsen, Deep learning and music adversaries, IEEE TMM 17(11), 2015, as torchaudio
        has it.
    Deviates: jazz.00054, a training row of the filtered split, is left out: it cannot be decoded.
    """

    split: Literal["filtered", "hashed"] = "filtered"
    rate: Rate = 22_050

    def card(self) -> Card:
        """Describe GTZAN."""
        return Card(
            classes=GENRES,
            input=INPUT,
            licence="none stated; the recordings belong to their owners",
            citation="Tzanetakis and Cook, Musical genre classification of audio signals, IEEE TSAP 10(5), 2002",
            facts={"rate": self.rate},
            counts={"train": 442, "validation": 197, "test": 290} if self.split == "filtered" else {},
            origin=_ORIGIN,
        )

    def files(self, root: Path) -> list[Path]:
        """List the folder of all genres."""
        return [self._genres(root)]

    def load(self, part: Part, root: Path) -> Records[Waves] | None:
        """Open a part; the hashed split has no validation part."""
        genres = self._genres(root)
        there = {genre: _excerpts(genres / genre, genre) for genre in GENRES}
        if self.split == "filtered":
            names = _filtered()[part]
            _check_there(genres, names, {name for found in there.values() for name in found})
        elif part == "validation":
            return None
        else:
            names = [name for found in there.values() for name in _share(found, part)]
        labels = [GENRES.index(name.partition(".")[0]) for name in names]
        files = joined(genres, (f"{name.partition('.')[0]}/{name}.wav" for name in names))
        return Labelled(files, labels).records(self.rate)

    def fixture(self, root: Path) -> None:
        """Write the rows that the split needs, each a moment long."""
        names = [f"{genre}.{n:05d}" for genre in GENRES for n in range(10)]
        if self.split == "filtered":
            names = [name for part in _filtered().values() for name in part]
        genres = root / (self.folder or "gtzan") / "genres"
        sounds = [
            (genres / genre / f"{name}.wav", GENRES.index(genre)) for name in names for genre in name.split(".")[:1]
        ]
        write_sounds(sounds, 22_050, 0.02)

    def _genres(self, root: Path) -> Path:
        base = root / (self.folder or "gtzan")
        genres = base / "genres"
        found = set(listed(genres))
        if not found:
            raise not_there("audio/gtzan", base, "genres")
        missing = [f"genres/{genre}" for genre in GENRES if genre not in found]
        if missing:
            raise not_whole("audio/gtzan", base, missing)
        return genres


def _filtered() -> dict[Part, list[str]]:
    """Return the excerpts of each part."""
    from torchaudio.datasets import gtzan  # noqa: PLC0415 - prepared data needs none

    lists: dict[Part, list[str]] = {
        "train": gtzan.filtered_train,
        "validation": gtzan.filtered_valid,
        "test": gtzan.filtered_test,
    }
    return {part: [name for name in names if name != _UNREADABLE] for part, names in lists.items()}


def _check_there(genres: Path, names: Sequence[str], there: set[str]) -> None:
    missing = [name for name in names if name not in there]
    if missing:
        raise DataUnavailableError(
            f"{genres}: the filtered split names {missing[0]}, which is not there ({len(missing)} of {len(names)} are "
            "missing).",
            "Copy or download the data set again, whole; for a cut of it, set dataset.split to hashed.",
        )


def _excerpts(folder: Path, genre: str) -> list[str]:
    names = [name.removesuffix(".wav") for name in listed(folder) if name.endswith(".wav")]
    return [name for name in names if name.startswith(f"{genre}.") and name != _UNREADABLE]


def _share(names: Sequence[str], part: Part) -> list[str]:
    """Return the excerpts of a genre that belong to a part."""
    marked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    tested = set(marked[: -(-len(marked) // _TEST_EVERY)])
    return [name for name in names if (name in tested) == (part == "test")]
