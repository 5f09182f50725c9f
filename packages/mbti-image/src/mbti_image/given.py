"""What somebody brings: folders of pictures, and weights of an architecture of timm."""

from __future__ import annotations

from pathlib import Path

from mbti_core.contracts.given import GivenData
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.reading import listed
from mbti_image.datasets.labelled import Labelled, check_not_empty, joined, pictures_below

SIDE = 32


def given_data(path: Path, info: ModelInfo | None) -> GivenData | None:
    """Open ``<class>/*``, or ``train/<class>/*`` and ``test/<class>/*``; None if no class folder holds a picture.

    Args:
        path: A folder.
        info: The model, whose size pictures are brought to; without one they are ``SIDE`` pixels high and wide.

    Raises:
        DataFormatError: If a class holds no picture.
        DataUnavailableError: If a folder may not be read.
    """
    parts = [path / part for part in ("train", "test") if (path / part).is_dir()] or [path]
    held = {folder: pictures_below(folder) for part in parts for folder in _folders(part)}
    if not any(held.values()):
        return None
    classes = sorted({folder.name for folder in held})
    files: list[str] = []
    labels: list[int] = []
    for folder, names in held.items():
        check_not_empty(folder, names)
        files += joined(folder, names)
        labels += [classes.index(folder.name)] * len(names)
    side = int(info.input.shape[-1] or SIDE) if info is not None else SIDE
    spec = info.input if info is not None else InputSpec((3, side, side), "uint8", 0, 255)
    names = [Path(file).relative_to(path).as_posix() for file in files]
    return GivenData("image", Labelled(files, labels).records(side), names, tuple(classes), spec, {"mirror": False})


def _folders(part: Path) -> list[Path]:
    return [part / name for name in listed(part) if not name.startswith(".") and (part / name).is_dir()]
