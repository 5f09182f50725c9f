"""CIFAR-10 as its original python batches."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.datasets.batches import load_batch
from mbti_image.datasets.cifar10 import Cifar10


def batch(first: int, n: int = 8) -> dict[bytes, Any]:
    data = np.random.default_rng(first).integers(0, 256, (n, 3072), dtype=np.uint8)
    names = [f"{first + i}.png".encode() for i in range(n)]
    return {b"data": data, b"labels": [(first + i) % 10 for i in range(n)], b"batch_label": b"x", b"filenames": names}


def write(file: Path, content: object) -> None:
    """Write as the publishers did: protocol 2, and the module names of numpy 1."""
    file.write_bytes(pickle.dumps(content, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))


@pytest.fixture(params=["cifar10/cifar-10-batches-py", "cifar-10-batches-py"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / request.param
    folder.mkdir(parents=True)
    for n in range(1, 6):
        write(folder / f"data_batch_{n}", batch(100 * n))
    write(folder / "test_batch", batch(900))
    (folder / "batches.meta").write_bytes(b"not read")
    return tmp_path


def test_reads_all_batches_in_order(root: Path) -> None:
    records = Cifar10().load("train", root)
    assert records is not None
    expected = np.concatenate([batch(100 * n)[b"data"] for n in range(1, 6)]).reshape(-1, 3, 32, 32)
    x = records.read(np.arange(40))
    assert x.dtype == torch.uint8
    np.testing.assert_array_equal(x.numpy(), expected)
    assert records.y.tolist() == [label for n in range(1, 6) for label in batch(100 * n)[b"labels"]]
    rows = np.array([0, 7, 8, 31, 39])
    np.testing.assert_array_equal(records.read(rows).numpy(), expected[rows])
    assert len(records.read(np.array([], dtype=np.int64))) == 0
    test = Cifar10().load("test", root)
    assert test is not None
    np.testing.assert_array_equal(test.read(np.arange(8)).numpy().reshape(8, -1), batch(900)[b"data"])


def test_lists_the_six_files(root: Path) -> None:
    names = [file.name for file in Cifar10().files(root)]
    assert names == [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]


def test_a_missing_batch_is_named(root: Path) -> None:
    Cifar10().files(root)[2].unlink()
    with pytest.raises(DataUnavailableError, match="missing: data_batch_3"):
        Cifar10().files(root)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_later_protocols(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(pickle.dumps(batch(3), protocol=protocol))
    pixels, y = load_batch(tmp_path / "b")
    np.testing.assert_array_equal(pixels.reshape(8, -1), batch(3)[b"data"])
    assert y.tolist() == batch(3)[b"labels"]


class Smuggler:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (os.system, "system"),
        (eval, r"builtins\.eval|__builtin__\.eval"),
        (np.load, r"numpy.*load"),
        (getattr, "getattr"),
    ],
    ids=["os.system", "eval", "numpy.load", "getattr"],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_smuggled_code_is_not_run(call: Any, name: str, protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    content = {b"extra": Smuggler(call, f"touch {mark}")} | batch(3)
    (tmp_path / "b").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(DataFormatError, match=rf"{tmp_path}/b: asks for .*({name})"):
        load_batch(tmp_path / "b")
    assert not mark.exists()


def test_other_codecs_are_refused(tmp_path: Path) -> None:
    # GLOBAL _codecs.encode, called with "zlib_codec": a bomb may hide behind it
    evil = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x0a\x00\x00\x00zlib_codec\x86R."
    (tmp_path / "b").write_bytes(evil)
    with pytest.raises(DataFormatError, match="latin1, not as zlib_codec"):
        load_batch(tmp_path / "b")


@pytest.mark.parametrize("kept", [0, 1, 50, 20_000])
def test_truncated_batch(kept: int, tmp_path: Path) -> None:
    write(tmp_path / "b", batch(3))
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:kept])
    with pytest.raises(DataFormatError, match="b: expected a whole pickled batch; "):
        load_batch(tmp_path / "b")


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {},
        batch(3) | {b"labels": [0] * 7},
        batch(3) | {b"labels": [10] * 8},
        batch(3) | {b"labels": ["cat"] * 8},
        batch(3) | {b"data": np.zeros((8, 3071), np.uint8)},
        batch(3) | {b"data": np.zeros((8, 3072), np.float64)},
    ],
    ids=["list", "empty", "too few labels", "label 10", "label cat", "width", "type"],
)
def test_other_content_is_refused(content: object, tmp_path: Path) -> None:
    write(tmp_path / "b", content)
    with pytest.raises(DataFormatError, match=r"b: expected data, uint8 \(n, 3072\), and labels"):
        load_batch(tmp_path / "b")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # a test that runs as root may read everything
    with pytest.raises(DataUnavailableError, match="may not be read: permission denied"):
        load_batch(tmp_path / "b")
