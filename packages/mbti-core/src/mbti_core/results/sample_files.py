"""The rows of a split, or a model, as files that other programs read: ``mbti export``."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import torch
from torch import Tensor

from mbti_core.contracts.attack import RowKind
from mbti_core.data.artifacts import TrainedModel, load_json, save_json
from mbti_core.engine.execute import Work
from mbti_core.errors import ConfigError

if TYPE_CHECKING:
    from mbti_core.data.split import Split
    from mbti_core.engine.graph import Node
    from mbti_core.engine.store import Store
    from mbti_core.plugins.adapters import Adapters
    from mbti_core.plugins.manager import Registry

COLUMNS = ("file", "index", "label", "truth", "kind")
"""Of ``rows.csv``: path in the folder, row id, class that the row carries, true class, what the attack did to it."""


def write_samples(node: Node, store: Store, registry: Registry, folder: Path, *, reserve: bool = False) -> int:
    """Write each row of a stored split as ``<label>/<row id>.<ending>``, and ``rows.csv``; all or nothing.

    A batch is in memory at a time. Folders are named for the class that a row carries, as in a data set that somebody
    is given; a name that cannot be a folder's is written with percent signs, as in an address.

    Args:
        node: A stage of the kind ``prepare``, ``corrupt`` or ``poison``, complete.
        store: Where its artifact is.
        registry: Finds its modality.
        folder: Where the files go; it must not exist, or be empty.
        reserve: Whether to write the defender's reserve, not the training rows, of a stage of the kind ``prepare``.

    Returns:
        How many rows there are.

    Raises:
        NotSupportedError: If no plugin writes samples of this modality as files.
        ConfigError: If the folder holds something, or cannot be written.
    """
    work = Work(node, store, registry, torch.device("cpu"), lambda done, total, loss: None)
    split = work.prepared.parts["reserve"] if reserve else work.split(node.ref)
    classes = [_folder_name(name) for name in work.prepared.classes]
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    with _whole(folder) as part:
        for name in {classes[label] for label in split.labels.tolist()}:
            (part / name).mkdir()
        for chunk in split.chunks():
            for line in _written(split, chunk, classes, registry.adapters, part):
                rows.writerow(line)
        (part / "rows.csv").write_bytes(table.getvalue().encode())
    return len(split)


def write_model(node: Node, store: Store, registry: Registry, folder: Path) -> int:
    """Write a trained model as ``weights.safetensors`` and ``model.json``, which names its classes too; all or nothing.

    Args:
        node: A stage of the kind ``train``, complete.
        store: Where its artifact is.
        registry: Finds its modality.
        folder: Where the files go; it must not exist, or be empty.

    Returns:
        How many parameters and buffers there are.

    Raises:
        ConfigError: If the folder holds something, or cannot be written.
    """
    work = Work(node, store, registry, torch.device("cpu"), lambda done, total, loss: None)
    model = TrainedModel.load(work.folder(node.ref))
    with _whole(folder) as part:
        replace(model, beside={}).save(part)
        described = load_json(part / "model.json")
        save_json(part / "model.json", {**described, "classes": list(work.prepared.classes)})
    return len(model.weights)


def check_free(folder: Path) -> None:
    """Refuse a place that holds something, before anything is made for it.

    Raises:
        ConfigError: If it is a file, or a folder that is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already, and not empty.", "Name a folder that is not there yet.")


def _written(
    split: Split[Any], chunk: Tensor, classes: list[str], adapters: Adapters, part: Path
) -> Iterator[tuple[str, int, str, str, str]]:
    """Write the rows at some positions, and yield what the table says of each."""
    ending, files = adapters.files(split.take(chunk), split.modality.name)
    about = zip(
        *(column[chunk].tolist() for column in (split.index, split.labels, split.truth, split.kind)), strict=True
    )
    for content, (index, label, truth, kind) in zip(files, about, strict=True):
        path = f"{classes[label]}/{index}{ending}"
        (part / path).write_bytes(content)
        yield path, index, classes[label], classes[truth], RowKind(kind).name.lower()


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give a folder beside ``folder`` to write to, which takes its place in the end; what was begun is removed."""
    folder = folder.absolute()  # "." has no name
    part = folder.with_name(f".{folder.name}.part")
    try:
        check_free(folder)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
            part.replace(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}.", "Choose another place.") from error


def _folder_name(name: str) -> str:
    return quote(name, safe=" ") if name.strip(".") else name.replace(".", "%2E")
