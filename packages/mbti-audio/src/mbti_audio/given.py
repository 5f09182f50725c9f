"""What somebody brings: folders of clips, and folders of the transformers library."""

from __future__ import annotations

from pathlib import Path

from mbti_audio.datasets.clips import clips_below
from mbti_audio.datasets.labelled import Labelled, folders_in, joined
from mbti_audio.sample import INPUT
from mbti_core.contracts.given import GivenData, GivenModel
from mbti_core.contracts.model import ModelInfo
from mbti_core.errors import DataFormatError
from mbti_core.training.saved_model import saved_classifier

RATE = 16_000
_KINDS = ("wav2vec2", "hubert")


def given_data(path: Path, info: ModelInfo | None) -> GivenData | None:
    """Open ``<class>/*``, or ``train/<class>/*`` and ``test/<class>/*``; None if no class folder holds a clip.

    Args:
        path: A folder.
        info: The model, whose rate clips are brought to; without one it is ``RATE``.

    Raises:
        DataFormatError: If a class holds no clip.
        DataUnavailableError: If a folder may not be read.
    """
    parts = [path / part for part in ("train", "test") if (path / part).is_dir()] or [path]
    held = {part / name: clips_below(part / name) for part in parts for name in folders_in(part)}
    if not any(held.values()):
        return None
    classes = sorted({folder.name for folder in held})
    files: list[str] = []
    labels: list[int] = []
    for folder, clips in held.items():
        if not clips:
            raise DataFormatError(
                f"{folder} holds no clip, and stands for a class.", "Copy its clips again, or remove the folder."
            )
        files += joined(folder, clips)
        labels += [classes.index(folder.name)] * len(clips)
    rate = int(info.facts.get("rate", RATE)) if info is not None else RATE
    names = [Path(file).relative_to(path).as_posix() for file in files]
    return GivenData("audio", Labelled(files, labels).records(rate), names, tuple(classes), INPUT, {"rate": rate})


def given_model(path: Path) -> GivenModel | None:
    """Recognize a classifier of sounds that the transformers library saved; None if the folder is something else.

    Raises:
        DataFormatError: If it is an encoder without a classifier.
    """
    found = saved_classifier(path, _KINDS.__contains__)
    return GivenModel(f"audio/{found[0]}", {"path": str(path)}, classes=found[1]) if found else None
