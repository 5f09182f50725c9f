"""VoxCeleb1 as speaker identification, in the original layout."""

from __future__ import annotations

import re
from pathlib import Path

from mbti_audio.datasets.labelled import Labelled, joined, lines_of, refuse
from mbti_audio.datasets.tiny import write_sounds
from mbti_audio.sample import INPUT
from mbti_audio.waves import Rate, Waves
from mbti_core.contracts.dataset import Card, DatasetSource, Origin, Part, Records
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataFormatError

_SPLIT = "iden_split.txt"
_CODES: dict[Part, str] = {"train": "1", "validation": "2", "test": "3"}
_LINE = re.compile(r"([123])\s+([^/\s]+/[^/\s]+/[^/\s]+)")
_AGAIN = "Copy or download the data set again, whole."
_ORIGIN = Origin(
    "voxceleb1",
    by_hand="By the instructions of https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html get the four parts of "
    "vox1_dev_wav.zip (join them), vox1_test_wav.zip and iden_split.txt; unpack both archives into voxceleb1 below the "
    "data root, which gives voxceleb1/wav, and put iden_split.txt beside that folder.",
)


class VoxCeleb1(DatasetSource[Waves]):
    """153,516 utterances by 1,251 celebrities, from videos: 138,361 for training, 6,904 for validation, 8,251 to test.

    Who speaks is the class. Reads ``wav/<speaker>/<video>/<n>.wav`` and ``iden_split.txt`` in ``voxceleb1`` below the
    data root: lines of ``<code> <speaker>/<video>/<n>.wav``, 1 for training, 2 for validation, 3 for testing. Classes
    are the speakers that the list names, sorted: of the original, id10001 is class 0 and id11251 class 1,250.

    Args:
        rate: Samples per second; recorded at 16,000.

    Shape: (B, T) in [-1, 1], T from 4 to 145 seconds, 8 in the mean.
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    Source: A. Nagrani, J. S. Chung, A. Zisserman, VoxCeleb, Interspeech 2017, section 5.1.
    """

    rate: Rate = 16_000

    def card(self) -> Card:
        """Describe VoxCeleb1; the list says which speakers there are."""
        return Card(
            classes=(),
            input=INPUT,
            licence="CC BY 4.0; the recordings belong to their owners",
            citation="Nagrani, Chung and Zisserman, VoxCeleb: a large-scale speaker identification dataset, "
            "Interspeech 2017",
            facts={"rate": self.rate},
            counts={"train": 138_361, "validation": 6_904, "test": 8_251},
            origin=_ORIGIN,
        )

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the speakers that the list names, sorted."""
        return tuple(sorted({name.partition("/")[0] for name in _utterances(self._base(root) / _SPLIT)}))

    def files(self, root: Path) -> list[Path]:
        """List the folder of all speakers and the list."""
        base = self._base(root)
        return [base / "wav", base / _SPLIT]

    def load(self, part: Part, root: Path) -> Records[Waves] | None:
        """Open a part."""
        base = self._base(root)
        utterances = _utterances(base / _SPLIT)
        number = {speaker: c for c, speaker in enumerate(sorted({name.partition("/")[0] for name in utterances}))}
        names = [name for name, code in utterances.items() if code == _CODES[part]]
        if not names:
            raise DataFormatError(f"{base / _SPLIT}: no line has the code {_CODES[part]} ({part}).", _AGAIN)
        folders = {name.rpartition("/")[0] for name in names}
        there = {f"{folder}/{name}" for folder in folders for name in listed(base / "wav" / folder)}
        refuse(set(names) - there, f"{base / _SPLIT}: lists {{}}, which is not in {base / 'wav'}", _AGAIN)
        return Labelled(joined(base / "wav", names), [number[name.partition("/")[0]] for name in names]).records(
            self.rate
        )

    def fixture(self, root: Path) -> None:
        """Write three speakers in two videos each."""
        base = root / (self.folder or "voxceleb1")
        speakers = ("id10001", "id10002", "id10270")
        clips = [(f"{s}/video{v}/{n:05d}.wav", c) for c, s in enumerate(speakers) for v in (0, 1) for n in range(1, 7)]
        write_sounds([(base / "wav" / clip, c) for clip, c in clips], 16_000, 0.2)
        lines = [f"{'111123'[row % 6]} {clip}\n" for row, (clip, _) in enumerate(clips)]
        (base / _SPLIT).write_text("".join(lines), encoding="utf-8")

    def _base(self, root: Path) -> Path:
        base = root / (self.folder or "voxceleb1")
        found = set(listed(base))
        if not found & {"wav", _SPLIT}:
            raise not_there("audio/voxceleb1", base, f"wav and no {_SPLIT}")
        missing = [name for name in ("wav", _SPLIT) if name not in found]
        if missing:
            raise not_whole("audio/voxceleb1", base, missing)
        return base


def _utterances(file: Path) -> dict[str, str]:
    """Return the code of each utterance, in the order of the list.

    Raises:
        DataFormatError: If a line has another form or an unknown code, or an utterance stands there twice.
    """
    codes: dict[str, str] = {}
    for number, line in lines_of(file):
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataFormatError(
                f"{file}: line {number}: expected 1, 2 or 3 and <speaker>/<video>/<file>, found {line[:60]!r}.",
                "Copy or download the file again.",
            )
        code, name = match.groups()
        if name in codes:
            raise DataFormatError(f"{file}: line {number}: lists {name} again.", "Remove one of the two lines.")
        codes[name] = code
    return codes
