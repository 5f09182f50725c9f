from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image as Picture

from mbti_core.contracts.dataset import Records
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.datasets.cifar10 import Cifar10

KIND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Cifar10().fixture(tmp_path)
    return tmp_path


@pytest.fixture
def train_file(root: Path) -> Path:
    return root / "cifar10" / "plain_text" / "train-00000-of-00001.parquet"


def opened(root: Path, part: Any = "train") -> Records[torch.Tensor]:
    records = Cifar10().load(part, root)
    assert records is not None
    return records


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Picture.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(file: Path, encoded: list[bytes | None], labels: list[int | None]) -> None:
    rows = [{"bytes": e, "path": None} for e in encoded]
    pq.write_table(pa.table({"img": pa.array(rows, KIND), "label": pa.array(labels, pa.int64())}), file)


def test_reads_its_fixture_like_another_decoder(root: Path, train_file: Path) -> None:
    table = pq.read_table(train_file)
    expected = [np.array(Picture.open(io.BytesIO(row["bytes"]))) for row in table.column("img").to_pylist()]
    records = opened(root)
    x = records.read(np.arange(60))
    assert x.dtype == torch.uint8
    np.testing.assert_array_equal(x.numpy(), np.stack(expected).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(records.y, table.column("label").to_numpy())
    assert records.y.dtype == np.int64
    assert len(opened(root, "test").y) == 30
    assert Cifar10().load("validation", root) is None


def test_reads_any_rows_across_row_groups(root: Path) -> None:
    records = opened(root)
    whole = records.read(np.arange(60))
    for rows in ([0, 24, 25, 49, 50, 59], [7], [], [59, 3]):
        assert torch.equal(records.read(np.array(rows, dtype=np.int64)), whole[rows])


def test_reads_several_files_in_order(root: Path, train_file: Path) -> None:
    whole = opened(root)
    pictures = whole.read(np.arange(60))
    table = pq.read_table(train_file)
    train_file.unlink()
    for n in range(3):
        pq.write_table(table.slice(20 * n, 20), train_file.with_name(f"train-0000{n}-of-00003.parquet"))
    split = opened(root)
    np.testing.assert_array_equal(split.y, whole.y)
    assert torch.equal(split.read(np.arange(60)), pictures)
    train_file.with_name("train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataUnavailableError, match=r"not whole .*train: found 2 of 3 parquet files"):
        opened(root)


def test_gray_pictures_get_three_channels(root: Path, train_file: Path) -> None:
    gray = np.arange(1024, dtype=np.uint16).astype(np.uint8).reshape(32, 32)
    write(train_file, [png(gray)], [3])
    np.testing.assert_array_equal(opened(root).read(np.array([0])).numpy()[0], np.stack([gray] * 3))


def test_files_are_those_that_are_read(root: Path, train_file: Path) -> None:
    assert Cifar10().files(root) == [train_file, train_file.with_name("test-00000-of-00001.parquet")]
    other = root / "elsewhere"
    Cifar10(folder="mine").fixture(other)
    assert Cifar10(folder="mine").files(other)[0].parent == other / "mine" / "plain_text"


def test_says_where_it_looked(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataUnavailableError) as caught:
            Cifar10().files(root)
        assert str(root / "cifar10") in caught.value.message
        assert "--data-root" in caught.value.hint


def test_a_missing_part_is_named(root: Path, train_file: Path) -> None:
    train_file.unlink()
    with pytest.raises(DataUnavailableError, match="missing: train: found 0 of 1"):
        Cifar10().files(root)


@pytest.mark.parametrize("kept", [0, 100, 5000, -8])
def test_truncated_parquet(kept: int, root: Path, train_file: Path) -> None:
    whole = train_file.read_bytes()
    train_file.write_bytes(whole[:kept])
    with pytest.raises(DataFormatError, match=r"train-00000-of-00001\.parquet: expected a whole parquet file; "):
        opened(root).read(np.arange(60))


def test_damage_inside_a_parquet_file(root: Path, train_file: Path) -> None:
    data = bytearray(train_file.read_bytes())
    meta = pq.ParquetFile(train_file).metadata.row_group(1).column(0)
    at = meta.dictionary_page_offset or meta.data_page_offset
    data[at : at + 40] = bytes(40)
    train_file.write_bytes(data)
    records = opened(root)
    records.read(np.arange(25))
    with pytest.raises(DataFormatError, match=r"train-00000-of-00001\.parquet: expected a whole parquet file; "):
        records.read(np.arange(25, 50))


def test_wrong_columns(root: Path, train_file: Path) -> None:
    table = pq.read_table(train_file)
    pq.write_table(table.rename_columns(["image", "label"]), train_file)
    with pytest.raises(DataFormatError, match=r"expected the columns img, label; found image, label\."):
        opened(root)


def test_wrong_types(root: Path, train_file: Path) -> None:
    pq.write_table(pa.table({"img": [b"x"], "label": [0]}), train_file)
    with pytest.raises(DataFormatError, match=r"expected img as a struct with bytes .* found binary"):
        opened(root)
    rows = pa.array([{"bytes": b"x", "path": None}], KIND)
    pq.write_table(pa.table({"img": rows, "label": ["cat"]}), train_file)
    with pytest.raises(DataFormatError, match=r"label as integers; found .* and string"):
        opened(root)


@pytest.mark.parametrize("label", [10, -1, None])
def test_labels_out_of_range(label: int | None, root: Path, train_file: Path) -> None:
    picture = png(np.zeros((32, 32, 3), np.uint8))
    write(train_file, [picture] * 3, [0, label, 2])
    with pytest.raises(DataFormatError, match=r"row 1: expected a label from 0 to 9, found -?1"):
        opened(root)


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "none"])
def test_a_corrupt_picture_is_named(damage: str, root: Path, train_file: Path) -> None:
    table = pq.read_table(train_file)
    encoded = [row["bytes"] for row in table.column("img").to_pylist()]
    encoded[37] = {"cut": encoded[37][:60], "noise": b"no picture at all", "empty": b"", "none": None}[damage]
    write(train_file, encoded, table.column("label").to_pylist())
    records = opened(root)
    records.read(np.arange(37))
    with pytest.raises(DataFormatError, match=r"train-00000-of-00001\.parquet: row 37 does not hold a picture"):
        records.read(np.arange(60))


def test_a_picture_of_another_size_is_named(root: Path, train_file: Path) -> None:
    pictures = [png(np.zeros((side, 32, 3), np.uint8)) for side in (32, 48)]
    write(train_file, pictures, [0, 1])
    with pytest.raises(DataFormatError, match="row 1: expected a picture of 32 x 32 pixels, found 32 x 48 pixels"):
        opened(root).read(np.arange(2))


def test_a_folder_without_permission(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("mbti_core.data.reading.os.listdir", refuse)  # a test that runs as root may read everything
    with pytest.raises(DataUnavailableError, match="may not be read: permission denied") as caught:
        Cifar10().files(root)
    assert "chmod" in caught.value.hint


def test_a_file_without_permission(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(
        DataUnavailableError, match=r"train-00000-of-00001\.parquet' may not be read: permission denied"
    ):
        opened(root)


def test_the_real_cut(real_root: Path) -> None:
    """If this fails: the reader and the public layout differ."""
    for part, count in (("train", 50_000), ("test", 10_000)):
        records = opened(real_root, part)
        assert len(records.y) == count
        assert (np.bincount(records.y) == count // 10).all()
    rows = np.array([0, 4000, 9999])
    raw = pq.read_table(Cifar10().files(real_root)[1]).column("img").to_pylist()
    expected = np.stack([np.array(Picture.open(io.BytesIO(raw[row]["bytes"])).convert("RGB")) for row in rows])
    np.testing.assert_array_equal(records.read(rows).numpy(), expected.transpose(0, 3, 1, 2))
