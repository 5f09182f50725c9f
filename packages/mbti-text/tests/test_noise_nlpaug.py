"""Noise by nlpaug's augmenters."""

from __future__ import annotations

import random
import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_core.errors import MissingPluginError
from mbti_text.noise import nlpaug
from mbti_text.noise.nlpaug import Nlpaug

TEXTS = [
    *("", " ", "film", "🎉", "a 🎉 👩‍👩‍👧 b", "مرحبا بالعالم هذا فيلم", "漢字かな", "don't do\tthat ."),
    *("one long string of cliches that nobody wanted", "the quick brown fox jumps over the lazy dog") * 4,
]
INDEX = torch.arange(len(TEXTS)) * 7


def context(index: torch.Tensor = INDEX, seed: int = 5) -> NoiseContext:
    return NoiseContext(index, index % 2, 2, Draws(seed))


@pytest.fixture
def _installed() -> None:
    if find_spec("nlpaug") is None:
        pytest.skip("nlpaug is not installed (mbti-text[nlpaug])")


@pytest.mark.usefixtures("_installed")
def test_rows_depend_on_nothing_else_and_global_generators_stay() -> None:
    noise, before = Nlpaug(), list(TEXTS)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    whole = noise.apply(TEXTS, context())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[:2]
    assert torch.equal(torch.get_rng_state(), states[2])
    assert before == TEXTS
    assert all(isinstance(text, str) for text in whole)
    assert sum(a != b for a, b in zip(TEXTS, whole, strict=True)) > len(TEXTS) // 2
    for size in (1, 7):
        parts = [
            noise.apply(TEXTS[at : at + size], context(INDEX[at : at + size])) for at in range(0, len(TEXTS), size)
        ]
        assert [text for part in parts for text in part] == whole
    assert noise.apply(TEXTS[::-1], context(INDEX.flip(0)))[::-1] == whole
    assert noise.apply(TEXTS, context(seed=6)) != whole


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("augmenter", ["ocr", "keyboard", "insert", "substitute", "swap", "spelling"])
def test_each_augmenter_changes_words_and_keeps_their_number(augmenter: Any) -> None:
    for level, most in ((0.1, 1), (0.3, 3)):
        for text in Nlpaug(level=level, augmenters=(augmenter,)).apply(TEXTS[8:], context(INDEX[8:])):
            clean = next(x for x in TEXTS[8:10] if len(x.split()) == len(text.split()))
            assert sum(a != b for a, b in zip(clean.split(), text.split(), strict=True)) <= most


def test_level_zero_is_the_identity() -> None:
    assert Nlpaug(level=0).apply(TEXTS, context()) is TEXTS


def test_settings_are_checked() -> None:
    for wrong in ({"level": 1.5}, {"augmenters": ()}, {"augmenters": ("synonym",)}):
        with pytest.raises(ValidationError):
            Nlpaug.model_validate(wrong)


def test_without_nlpaug_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    nlpaug._augmenter.cache_clear()
    monkeypatch.setitem(sys.modules, "nlpaug.augmenter", None)
    with pytest.raises(MissingPluginError, match="'text/nlpaug' needs the package nlpaug") as error:
        Nlpaug().apply(["text"], context(INDEX[:1]))
    assert error.value.hint == 'pip install "mbti-text[nlpaug]"'
