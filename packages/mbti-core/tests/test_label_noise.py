from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import confusion_matrix

from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.fileref import Digests
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split, clean_kinds
from mbti_core.errors import ConfigError, DataFormatError
from mbti_core.noise.confusion import Confusion
from mbti_core.noise.mislabel import Mislabel
from mbti_core.noise.pairflip import PairFlip
from mbti_core.stages.corrupt import corrupt
from mbti_core.testing.toy_plugin import mbti_modalities

THREE = ((0.7, 0.2, 0.1), (0.0, 1.0, 0.0), (0.25, 0.25, 0.5))


def context(index: torch.Tensor, classes: int) -> NoiseContext:
    return NoiseContext(index, index % classes, classes, Draws(3))


def split(n: int, classes: int) -> Split[Any]:
    y = torch.arange(n) % classes
    column = ArrayColumn(np.zeros((n, 2), dtype=np.uint8))
    return Split(column, y, y, clean_kinds(n), 7 * torch.arange(n), next(iter(mbti_modalities())))


@pytest.mark.parametrize("noise", [Mislabel(), PairFlip(), Confusion()])
@pytest.mark.parametrize(("n", "share"), [(1000, 0.25), (1001, 0.1), (999, 0.333)])
def test_exactly_the_share_of_the_labels_changes(noise: Any, n: int, share: float) -> None:
    clean = split(n, 10)
    noisy = corrupt(clean, [("any/it", noise, share)], 10, 0).split()
    assert int((noisy.labels != clean.labels).sum()) == int(np.floor(share * n))
    assert torch.equal(noisy.truth, clean.truth)


def test_every_other_class_is_alike() -> None:
    index = torch.arange(90_000)
    y = Mislabel().apply(index % 10, context(index, 10))
    found = confusion_matrix(index % 10, y, labels=range(10), normalize="true")
    assert found.diagonal() == pytest.approx(0)
    assert found[~np.eye(10, dtype=bool)] == pytest.approx(1 / 9, abs=0.015)


def test_pairs_flip_in_one_direction() -> None:
    index = torch.arange(40)
    y = PairFlip().apply(index % 4, context(index, 4))
    assert confusion_matrix(index % 4, y).tolist() == [[0, 10, 0, 0], [0, 0, 10, 0], [0, 0, 0, 10], [10, 0, 0, 0]]


@pytest.mark.parametrize("n", [3, 60, 3001])
def test_counts_are_those_of_the_matrix(n: int) -> None:
    index = torch.arange(n)
    y = Confusion(matrix=THREE).apply(index % 3, context(index, 3))
    found = confusion_matrix(index % 3, y, labels=range(3))
    wanted = np.array(THREE) * np.bincount(index % 3, minlength=3)[:, None]
    assert (np.abs(found - wanted) < 1).all()
    assert found.sum(1).tolist() == np.bincount(index % 3, minlength=3).tolist()


def test_which_rows_are_confused_does_not_depend_on_their_order() -> None:
    index, order = torch.arange(200), torch.from_numpy(np.random.default_rng(0).permutation(200))
    forwards = Confusion(matrix=THREE).apply(index % 3, context(index, 3))
    shuffled = Confusion(matrix=THREE).apply(index[order] % 3, context(index[order], 3))
    assert torch.equal(forwards[order], shuffled)
    later = index + 1000
    assert not torch.equal(forwards, Confusion(matrix=THREE).apply(index % 3, context(later, 3)))


def test_a_file_holds_what_a_list_holds(tmp_path: Path) -> None:
    file = tmp_path / "flips.csv"
    file.write_text("0.7,0.2,0.1\n0,1,0\n\n0.25, 0.25, 0.5\n")
    noise, index = Confusion(matrix=str(file)), torch.arange(300)
    listed = Confusion(matrix=THREE).apply(index % 3, context(index, 3))
    assert torch.equal(noise.apply(index % 3, context(index, 3)), listed)


def test_a_key_holds_the_content_of_the_file(tmp_path: Path) -> None:
    keys = []
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("1,0\n0,1\n")
        digest = {"digest": Digests().of}
        keys.append(Confusion(matrix=str(tmp_path / name)).model_dump(mode="json", context=digest)["matrix"])
    assert keys[0].startswith("sha256:")
    dumped = Confusion(matrix=THREE).model_dump(mode="json", context=digest)
    assert dumped == {"matrix": [list(row) for row in THREE]}
    assert Confusion.model_validate(dumped) == Confusion(matrix=THREE)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[0.5, 0.5], [1.0]], "2 rows, and 1 numbers in row 2"),
        ([[0.5, 0.5]], "1 rows, and 2 numbers in row 1"),
        ([[0.5, 0.4], [0, 1]], "row 1 sums to 0.9"),
        ([[1, 0], [1.5, -0.5]], "row 2 holds -0.5"),
        ([[1, float("nan")], [0, 1]], "row 1 holds nan"),
        ([[float("inf"), 0], [0, 1]], "row 1 sums to inf"),
        ([], "no rows"),
    ],
)
def test_what_is_no_matrix_of_shares_is_refused(rows: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"a square matrix of shares whose rows sum to 1") as caught:
        Confusion(matrix=rows)
    assert why in str(caught.value)
    file = tmp_path / "bad.csv"
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(DataFormatError) as refused:
        Confusion(matrix=str(file)).apply(torch.zeros(2, dtype=torch.int64), context(torch.arange(2), 2))
    assert refused.value.message == f"{file}: expected a square matrix of shares whose rows sum to 1; {why}."


@pytest.mark.parametrize(
    ("content", "line"), [(b"1,0\nlow,1\n", ":2"), (b"0,1\n\xff\xfe\n", ""), (b"from,to\n1,0\n", ":1")]
)
def test_a_file_that_holds_no_numbers_is_named_with_its_line(tmp_path: Path, content: bytes, line: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    with pytest.raises(DataFormatError, match=rf"bad\.csv{line}: expected a square matrix"):
        Confusion(matrix=str(file)).apply(torch.zeros(2, dtype=torch.int64), context(torch.arange(2), 2))


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected 10 x 10 shares, a row per class, got 3 x 3\."):
        Confusion(matrix=THREE).apply(torch.arange(10), context(torch.arange(10), 10))
