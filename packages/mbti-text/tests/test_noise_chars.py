"""Noise on characters, by textnoisr."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_core.errors import MissingPluginError
from mbti_text.edit_distance import edit_distance
from mbti_text.noise.chars import CharErrors

ODD = ["", " ", "a", "ab", "🎉", "a 🎉 👩‍👩‍👧 b", "مرحبا بالعالم هذا فيلم", "漢字かな", "a\tb\n c", "x" * 300]


def context(index: torch.Tensor, seed: int = 5) -> NoiseContext:
    return NoiseContext(index, index % 2, 2, Draws(seed))


def error_rate(clean: list[str], noisy: list[str]) -> float:
    return sum(edit_distance(a, b) for a, b in zip(clean, noisy, strict=True)) / sum(map(len, clean))


@pytest.fixture
def _textnoisr() -> None:
    pytest.importorskip("textnoisr", reason="textnoisr is not installed (mbti-text[noise])")


@pytest.mark.usefixtures("_textnoisr")
@pytest.mark.parametrize("actions", [("insert",), ("swap",), ("substitute",), ("delete",), CharErrors().actions])
def test_any_text_stays_a_text_and_rows_depend_on_nothing_else(actions: Any) -> None:
    noise, index = CharErrors(level=0.3, actions=actions), torch.arange(len(ODD)) * 11
    whole = noise.apply(ODD, context(index))
    assert whole[0] == ""
    assert all(text.encode().decode() == text for text in whole)
    for size in (1, 7):
        parts = [noise.apply(ODD[at : at + size], context(index[at : at + size])) for at in range(0, len(ODD), size)]
        assert [text for part in parts for text in part] == whole
    assert noise.apply(ODD[::-1], context(index.flip(0)))[::-1] == whole
    assert noise.apply(ODD, context(index, seed=6)) != whole


@pytest.mark.usefixtures("_textnoisr")
def test_level_zero_is_the_identity_and_a_row_has_its_own_errors() -> None:
    assert CharErrors(level=0).apply(ODD, context(torch.arange(len(ODD)))) == ODD
    noisy = CharErrors().apply(["the same sentence again and again"] * 50, context(torch.arange(50)))
    assert len(set(noisy)) > 40


@pytest.mark.usefixtures("_textnoisr")
def test_actions_do_what_they_say() -> None:
    index = torch.arange(100)
    x = ["a sentence of some words and letters"] * 100
    for text in CharErrors(actions=("insert",)).apply(x, context(index)):
        assert edit_distance(x[0], text) == len(text) - len(x[0])
    for text in CharErrors(actions=("delete",)).apply(x, context(index)):
        assert edit_distance(x[0], text) == len(x[0]) - len(text)
    for text in CharErrors(actions=("substitute",)).apply(x, context(index)):
        changed = [b for a, b in zip(x[0], text, strict=True) if a != b]
        assert all(c.isascii() and c.isalpha() for c in changed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for text in CharErrors(actions=("swap",)).apply([letters] * 100, context(index)):
        assert sorted(text) == list(letters)
        assert all(abs(letters.index(c) - place) <= 1 for place, c in enumerate(text))


@pytest.mark.usefixtures("_textnoisr")
@pytest.mark.parametrize(
    ("level", "actions", "rate", "within"),
    [
        (0.1, CharErrors().actions, 0.1, 0.005),
        (0.1, ("insert",), 0.1, 0.003),
        (0.1, ("substitute",), 0.1, 0.003),
        (0.1, ("delete",), 0.1, 0.003),
        (0.1, ("swap",), 0.1, 0.005),
        (0.05, CharErrors().actions, 0.05, 0.003),
        (0.2, CharErrors().actions, 0.189, 0.005),  # the bias that the docstring speaks of
    ],
)
def test_the_error_rate_on_sst2_is_the_level(level: float, actions: Any, rate: float, within: float) -> None:
    root = os.environ.get("MBTI_DATA")
    if not root or not (file := Path(root, "sst2", "dev.tsv")).is_file():
        pytest.skip("MBTI_DATA holds no sst2/dev.tsv")
    with file.open(encoding="utf-8", newline="") as stream:
        texts = [row[0] for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)][1:]
    assert len(texts) == 872
    noisy = CharErrors(level=level, actions=actions).apply(texts, context(torch.arange(872)))
    assert error_rate(texts, noisy) == pytest.approx(rate, abs=within)


def test_settings_are_checked() -> None:
    assert CharErrors(level=0.6, actions=("insert",)).level == 0.6
    for wrong in ({"level": 1.1}, {"actions": ()}, {"actions": ("explode",)}):
        with pytest.raises(ValidationError):
            CharErrors.model_validate(wrong)
    with pytest.raises(ValidationError, match=r"at most 0\.5094 with the action swap, got 0\.6"):
        CharErrors(level=0.6)


def test_without_textnoisr_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textnoisr.noise", None)
    with pytest.raises(MissingPluginError, match="'text/chars' needs the package textnoisr") as error:
        CharErrors().apply(["text"], context(torch.arange(1)))
    assert error.value.hint == 'pip install "mbti-text[noise]"'
