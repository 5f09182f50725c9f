"""CIFAR-10, in the public hub's parquet layout or as the original python batches."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Part, Records
from mbti_core.contracts.model import InputSpec
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_image.datasets.batches import BatchImages
from mbti_image.datasets.parquet import ParquetImages
from mbti_image.sample import Image

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SHAPE = (3, 32, 32)
_BATCHES = "cifar-10-batches-py"
_BATCH_FILES = {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]}
_SHARD = re.compile(r"(train|test)-(\d+)-of-(\d+)\.parquet")
_ORIGIN = Origin(
    "cifar10",
    (
        Download(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "md5:c58f30108f718f92721af3b95e74349a",
            170_498_071,
        ),
    ),
)
_FIXTURE_ROWS = {"train": 60, "test": 30}


class Cifar10(DatasetSource[Image]):
    """60,000 photographs of ten kinds of things: 50,000 for training, 10,000 for testing.

    Looks below the data root for ``cifar10/plain_text/{train,test}-*.parquet``, then for ``cifar-10-batches-py`` in
    ``cifar10`` or in the root itself. Python batches are read by an unpickler that builds arrays and nothing else.

    Shape: uint8 (B, 3, 32, 32) in [0, 255].
    Raises: DataUnavailableError, DataFormatError: With the file, and the row where one is at fault.
    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """

    def card(self) -> Card:
        """Describe CIFAR-10; a mirrored photograph keeps its label."""
        return Card(
            classes=CLASSES,
            input=InputSpec(_SHAPE, "uint8", 0, 255),
            licence="no licence stated by its publishers",
            citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
            facts={"mirror": True},
            counts={"train": 50_000, "test": 10_000},
            origin=_ORIGIN,
        )

    def files(self, root: Path) -> list[Path]:
        """List the files of both parts."""
        return self._files("train", root) + self._files("test", root)

    def load(self, part: Part, root: Path) -> Records[Image] | None:
        """Open a part; there is no official validation part."""
        if part == "validation":
            return None
        files = self._files(part, root)
        opened = ParquetImages(files, _SHAPE, len(CLASSES)) if files[0].suffix == ".parquet" else BatchImages(files)
        return Records(opened.y, opened.read)

    def fixture(self, root: Path) -> None:
        """Write both parts in the parquet layout: one color per class, with some noise."""
        import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
        from torchvision.io import encode_png  # noqa: PLC0415 - as above

        folder = root / (self.folder or "cifar10") / "plain_text"
        folder.mkdir(parents=True)
        random = np.random.default_rng(0)
        colors = random.integers(30, 226, (len(CLASSES), 3, 1, 1))
        for part, count in _FIXTURE_ROWS.items():
            y = np.arange(count) % len(CLASSES)
            pixels = torch.from_numpy((colors[y] + random.integers(-30, 30, (count, *_SHAPE))).astype(np.uint8))
            encoded = [{"bytes": encode_png(p).numpy().tobytes(), "path": None} for p in pixels]
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            table = pa.table({"img": pa.array(encoded, kind), "label": pa.array(y, pa.int64())})
            pq.write_table(table, folder / f"{part}-00000-of-00001.parquet", row_group_size=25)

    def _files(self, part: Part, root: Path) -> list[Path]:
        base = root / (self.folder or "cifar10")
        shards = {name: m for name in listed(base / "plain_text") if (m := _SHARD.fullmatch(name))}
        if shards:
            mine = [name for name, m in shards.items() if m[1] == part]
            count = int(shards[mine[0]][3]) if mine else 1
            missing = [] if len(mine) == count else [f"{part}: found {len(mine)} of {count} parquet files"]
            return _whole([base / "plain_text" / name for name in mine], missing, base / "plain_text")
        for folder in (base / _BATCHES, root / _BATCHES):
            names = listed(folder)
            if names:
                missing = [name for name in _BATCH_FILES[part] if name not in names]
                return _whole([folder / name for name in _BATCH_FILES[part]], missing, folder)
        raise not_there("image/cifar10", base, f"plain_text/train-*.parquet, and no {_BATCHES}")


def _whole(files: list[Path], missing: list[str], folder: Path) -> list[Path]:
    if missing:
        raise not_whole("image/cifar10", folder, missing)
    return files
