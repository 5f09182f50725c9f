from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from mbti_image.datasets.digits import Digits


def everything(part: str) -> tuple[np.ndarray, torch.Tensor]:
    records = Digits().load(part, Path("nowhere"))  # type: ignore[arg-type]  # a Part
    assert records is not None
    return records.y, records.read(np.arange(len(records.y)))


def test_both_parts_together_are_the_original() -> None:
    original = load_digits()
    (y_train, x_train), (y_test, x_test) = everything("train"), everything("test")
    assert (len(y_train), len(y_test)) == (1442, 355)
    x = np.concatenate([x_train.numpy(), x_test.numpy()])
    levels = np.rint(x[:, 0, ::2, ::2] / 255 * 16)
    ours = sorted((int(c), *row.astype(int).flat) for c, row in zip([*y_train, *y_test], levels, strict=True))
    theirs = sorted((int(c), *row.astype(int).flat) for c, row in zip(original.target, original.images, strict=True))
    assert ours == theirs


def test_form() -> None:
    y, x = everything("train")
    assert x.dtype == torch.uint8
    assert x.shape == (1442, *Digits().card().input.shape)
    assert (x[:, 0] == x[:, 2]).all()
    assert (x[:, :, ::2, ::2] == x[:, :, 1::2, 1::2]).all()
    assert (int(x.min()), int(x.max())) == (0, 255)
    assert y.dtype == np.int64


def test_each_class_gives_a_fifth_for_testing() -> None:
    train, test = (np.bincount(everything(part)[0]) for part in ("train", "test"))
    assert (test == (train + test) // 5).all()


def test_reads_rows_in_any_number() -> None:
    records = Digits().load("test", Path("nowhere"))
    assert records is not None
    whole = records.read(np.arange(355))
    assert torch.equal(records.read(np.array([3, 50, 354])), whole[[3, 50, 354]])
    assert len(records.read(np.array([], dtype=np.int64))) == 0


def test_embedded() -> None:
    assert Digits().files(Path("nowhere")) == []
    assert Digits().load("validation", Path("nowhere")) is None
