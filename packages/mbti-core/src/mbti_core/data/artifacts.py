"""What stages hand on, and how each is laid down in a folder: ``.npy``, safetensors and JSON, never pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mbti_core.contracts.attack import RowKind
from mbti_core.contracts.modality import Column, Modality
from mbti_core.contracts.model import InputSpec
from mbti_core.data.split import OverlayColumn, Split, ViewColumn, clean_kinds

PARTS = ("train", "reserve", "test")


def save_array(folder: Path, name: str, values: Tensor) -> None:
    """Write ``name.npy``."""
    np.save(folder / f"{name}.npy", values.numpy(), allow_pickle=False)


def load_array(folder: Path, name: str) -> Tensor:
    """Read ``name.npy`` into memory."""
    return torch.from_numpy(np.load(folder / f"{name}.npy", allow_pickle=False))


def save_json(path: Path, data: Any) -> None:
    """Write JSON; NaN and infinity raise ``ValueError``."""
    path.write_text(json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False), encoding="utf-8")


def load_json(path: Path) -> Any:
    """Read JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name as safetensors; tied ones are written once each."""
    save_file({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors, or nothing where the file does not exist."""
    return load_file(path) if path.is_file() else {}


def write_column(column: Column[Any], split: Split[Any], folder: Path) -> None:
    """Write a column in chunks of ``split``'s size."""
    folder.mkdir(parents=True, exist_ok=True)
    like = replace(split, column=column, labels=split.labels[: len(column)])

    def batches() -> Iterator[Any]:
        for rows in like.chunks(torch.arange(len(column))):
            yield column.take(rows)

    split.modality.write(batches(), folder, len(column))


@dataclass(frozen=True)
class PreparedData:
    """A data set ready for every later stage.

    Attributes:
        parts: ``train``, ``reserve`` (the defender's), ``test``.
        classes: Class names, in label order.
        input: One sample in storage form, as the data set recorded it.
        facts: Facts of the card that later stages need.
    """

    parts: Mapping[str, Split[Any]]
    classes: tuple[str, ...]
    input: InputSpec
    facts: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write each part's columns and what describes them."""
        for name, split in self.parts.items():
            write_column(split.column, split, folder / name)
            for column in ("labels", "index"):
                save_array(folder / name, column, getattr(split, column))
        info = {"classes": list(self.classes), "input": asdict(self.input), "facts": dict(self.facts)}
        save_json(folder / "info.json", info)

    @classmethod
    def load(cls, folder: Path, modality: Modality[Any]) -> PreparedData:
        """Open what ``save`` wrote, memory-mapped."""
        info = load_json(folder / "info.json")
        spec = InputSpec(**{**info["input"], "shape": tuple(info["input"]["shape"])})
        parts = {name: _open_part(folder / name, modality) for name in PARTS}
        return cls(parts, tuple(info["classes"]), spec, info["facts"])


def _open_part(folder: Path, modality: Modality[Any]) -> Split[Any]:
    labels = load_array(folder, "labels")
    index = load_array(folder, "index")
    return Split(modality.open(folder), labels, labels, clean_kinds(len(labels)), index, modality)


@dataclass(frozen=True)
class ChangedSplit:
    """A parent split with some samples, labels or rows changed: only the changes are stored.

    Attributes:
        parent: The split that it changes.
        rows: (N,) int64, positions in the parent that make up this split.
        labels: (N,) int64, labels for training; in the triggered test set, what the attacker wants.
        kind: (N,) uint8, ``RowKind``.
        changed_at: (K,) int64, ascending positions in this split whose sample is another than the parent's.
        changed: The K new samples.
    """

    parent: Split[Any]
    rows: Tensor
    labels: Tensor
    kind: Tensor
    changed_at: Tensor
    changed: Column[Any]

    def save(self, folder: Path) -> None:
        """Write the changes."""
        for name in ("rows", "labels", "kind", "changed_at"):
            save_array(folder, name, getattr(self, name))
        write_column(self.changed, self.parent, folder / "changed")
        kinds = {kind.name.lower(): int((self.kind == kind).sum()) for kind in RowKind}
        save_json(folder / "counts.json", {"rows": len(self.rows), **kinds})

    @classmethod
    def load(cls, folder: Path, parent: Split[Any]) -> ChangedSplit:
        """Open what ``save`` wrote."""
        columns = {name: load_array(folder, name) for name in ("rows", "labels", "kind", "changed_at")}
        return cls(parent, **columns, changed=parent.modality.open(folder / "changed"))

    def split(self) -> Split[Any]:
        """Return the split: the parent's rows with the changes laid over."""
        n = len(self.rows)
        whole = n == len(self.parent) and bool((self.rows == torch.arange(n)).all())
        base = self.parent.column if whole else ViewColumn(self.parent.column, self.rows)
        slot = torch.full((n,), -1, dtype=torch.int64)
        slot[self.changed_at] = torch.arange(len(self.changed_at))
        modality = self.parent.modality
        column = OverlayColumn(base, self.changed, slot, modality) if len(self.changed_at) else base
        truth, index = self.parent.truth[self.rows], self.parent.index[self.rows]
        return Split(column, self.labels, truth, self.kind, index, modality)


@dataclass(frozen=True)
class TrainedModel:
    """Weights and everything that is needed to build the model around them.

    Attributes:
        weights: The state dict.
        arch: Component id of the model.
        settings: Its settings, as plain data.
        info: ``ModelInfo.to_json()``.
        precision: ``fp32`` or ``bf16``, used in training and whenever the model answers.
        history: Training curves by name, one number per epoch.
        beside: What a training attack trained beside it.
    """

    weights: Mapping[str, Tensor]
    arch: str
    settings: Mapping[str, Any]
    info: Mapping[str, Any]
    precision: str
    history: Mapping[str, list[float]]
    beside: Mapping[str, Tensor]

    def save(self, folder: Path) -> None:
        """Write weights, description and curves."""
        save_tensors(folder / "weights.safetensors", self.weights)
        if self.beside:
            save_tensors(folder / "beside.safetensors", self.beside)
        described = {
            "arch": self.arch,
            "settings": dict(self.settings),
            "info": dict(self.info),
            "precision": self.precision,
        }
        save_json(folder / "model.json", described)
        save_json(folder / "history.json", dict(self.history))

    @classmethod
    def load(cls, folder: Path) -> TrainedModel:
        """Read what ``save`` wrote."""
        described = load_json(folder / "model.json")
        return cls(
            load_tensors(folder / "weights.safetensors"),
            **described,
            history=load_json(folder / "history.json"),
            beside=load_tensors(folder / "beside.safetensors"),
        )
