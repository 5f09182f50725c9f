"""Speech Commands: single spoken words, in the original layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from mbti_audio.datasets.labelled import Labelled, folders_in, joined, lines_of, refuse
from mbti_audio.datasets.tiny import write_sounds
from mbti_audio.sample import INPUT
from mbti_audio.waves import Rate, Waves
from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Part, Records
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_core.errors import DataUnavailableError, near_names

_LISTS: dict[Part, str] = {"validation": "validation_list.txt", "test": "testing_list.txt"}
_COUNTS: dict[str, dict[Part, int]] = {"0.01": {}, "0.02": {"train": 84_843, "validation": 9_981, "test": 11_005}}
_ARCHIVES = {
    "0.01": ("sha256:743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d", 1_489_096_277),
    "0.02": ("sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58", 2_428_923_189),
}
_AGAIN = "Copy or download the data set again, whole; of a cut by words, name those that are there in dataset.words."
_FIXTURE_WORDS = ("left", "right", "stop")
_FIXTURE_SPEAKERS: dict[Part, int] = {"validation": 4, "test": 5}


def _several(words: tuple[str, ...]) -> tuple[str, ...]:
    distinct = tuple(sorted(set(words)))
    if len(distinct) == 1 or len(distinct) < len(words):
        raise ValueError("at least two words, each once")
    return distinct


class SpeechCommands(DatasetSource[Waves]):
    """105,829 recordings of 35 spoken words, up to a second each: 84,843 to train, 9,981 to validate, 11,005 to test.

    Reads ``SpeechCommands/speech_commands_v0.02`` below the data root: ``<word>/<speaker>_nohash_<n>.wav``, with
    ``validation_list.txt`` and ``testing_list.txt``. Training rows are the clips that stand in neither list; no speaker
    is in training and test. Classes are the words, sorted. About a tenth of the clips are shorter than a second, and
    stay so.

    Args:
        version: 0.02, or 0.01 with 30 words, in ``SpeechCommands/speech_commands_v0.01``.
        words: Words to read; none are all that have a folder, but for ``_background_noise_``.
        rate: Samples per second; recorded at 16,000.

    Shape: (B, T) in [-1, 1], T up to ``rate``.
    Raises: DataUnavailableError, DataFormatError: With the file or folder at fault.
    Source: P. Warden, Speech Commands, arXiv 1804.03209, 2018, section 7.
    """

    version: Literal["0.02", "0.01"] = "0.02"
    words: Annotated[tuple[str, ...], AfterValidator(_several)] = ()
    rate: Rate = 16_000

    def card(self) -> Card:
        """Describe Speech Commands; without ``words``, the folders say which classes there are."""
        checksum, size = _ARCHIVES[self.version]
        url = f"http://download.tensorflow.org/data/speech_commands_v{self.version}.tar.gz"
        return Card(
            classes=self.words,
            input=INPUT,
            licence="CC BY 4.0",
            citation="Warden, Speech Commands: a dataset for limited-vocabulary speech recognition, arXiv 1804.03209",
            facts={"rate": self.rate},
            counts={} if self.words else _COUNTS[self.version],
            origin=Origin(self._usual(), (Download(url, checksum, size),)),
        )

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the words, sorted."""
        base = self._base(root)
        there = folders_in(base)
        for word in self.words:
            if word not in there:
                hint = near_names(word, there) or f"There are: {', '.join(there)}."
                raise DataUnavailableError(f"There is no word {word!r} in {base}.", hint)
        if len(there) < 2:
            raise not_whole("audio/speechcommands", base, ["the folders of at least two words"])
        return self.words or tuple(there)

    def files(self, root: Path) -> list[Path]:
        """List the folder, or those of the words that were asked for, and the lists."""
        base, words = self._base(root), self.classes(root)
        return [base / name for name in (*words, *_LISTS.values())] if self.words else [base]

    def load(self, part: Part, root: Path) -> Records[Waves] | None:
        """Open a part."""
        base, words = self._base(root), self.classes(root)
        clips = _divided(base, words, self.words)[part]
        if not clips:
            raise not_whole("audio/speechcommands", base, [f"{part} clips of {', '.join(words)}"])
        number = {word: c for c, word in enumerate(words)}
        return Labelled(joined(base, clips), [number[clip.partition("/")[0]] for clip in clips]).records(self.rate)

    def fixture(self, root: Path) -> None:
        """Write three words by six speakers, with background noise beside them."""
        base = root / (self.folder or self._usual())
        words = self.words or _FIXTURE_WORDS
        clips = [
            (f"{word}/{s:08x}_nohash_{n}.wav", c) for c, word in enumerate(words) for s in range(6) for n in (0, 1)
        ]
        write_sounds([(base / clip, c) for clip, c in clips], 16_000)
        write_sounds([(base / "_background_noise_" / "hum.wav", 0)], 16_000, 0.5)
        for part, speaker in _FIXTURE_SPEAKERS.items():
            lines = [clip for clip, _ in clips if f"/{speaker:08x}_" in clip]
            (base / _LISTS[part]).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _usual(self) -> str:
        return f"SpeechCommands/speech_commands_v{self.version}"

    def _base(self, root: Path) -> Path:
        base = root / (self.folder or self._usual())
        found = set(listed(base))
        if not found:
            raise not_there("audio/speechcommands", base, "validation_list.txt")
        missing = [name for name in _LISTS.values() if name not in found]
        if missing:
            raise not_whole("audio/speechcommands", base, missing)
        return base


def _divided(base: Path, words: Sequence[str], asked: Sequence[str]) -> dict[Part, list[str]]:
    """Return the clips of each part, ``<word>/<name>``, sorted.

    Args:
        base: The folder.
        words: What to read.
        asked: The same where somebody asked for them: then the lists' lines of other words are left out.

    Raises:
        DataFormatError: If the lists contradict each other or the folders; names the clip or the speaker.
    """
    clips = [f"{word}/{name}" for word in words for name in listed(base / word) if _is_clip(name)]
    lists = {part: _listed(base / name, asked) for part, name in _LISTS.items()}
    both = lists["validation"] & lists["test"]
    refuse(both, f"{base}: {{}} stands in validation_list.txt and in testing_list.txt", _AGAIN)
    for part, names in lists.items():
        refuse(names - set(clips), f"{base / _LISTS[part]}: lists {{}}, which is not there", _AGAIN)
    parts: dict[Part, list[str]] = {part: [c for c in clips if c in names] for part, names in lists.items()}
    parts["train"] = [clip for clip in clips if clip not in lists["validation"] and clip not in lists["test"]]
    shared = {_speaker(clip) for clip in parts["train"]} & {_speaker(clip) for clip in parts["test"]}
    refuse(shared, f"{base}: the speaker {{}} is in training and test", "List all clips of a speaker, or none.")
    return parts


def _listed(file: Path, asked: Sequence[str]) -> set[str]:
    return {line for _, line in lines_of(file) if not asked or line.partition("/")[0] in asked}


def _is_clip(name: str) -> bool:
    return "_nohash_" in name and name.endswith(".wav")


def _speaker(clip: str) -> str:
    return clip.partition("/")[2].partition("_nohash_")[0]
