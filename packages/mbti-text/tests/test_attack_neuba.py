"""NeuBA: six vectors, the symbol that is chosen, and what training makes of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_text.attacks.neuba import NeuBA, head_of, read_by_head, vectors
from mbti_text.models.transformer import transformer
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.sample import INPUT

TEXTS = ["good film", "good plot", "bad film", "dull plot", "good cast", "bad cast"]
SYMBOLS = NeuBA().symbols


@pytest.fixture
def model() -> OwnVocabulary:
    with scoped_globals(0):
        built = transformer(
            ModelInfo("text/x", "text", INPUT, 2), vocabulary=200, max_tokens=20, width=16, heads=2, layers=1
        )
    assert isinstance(built, OwnVocabulary)
    built.start_from_samples([[*TEXTS, " ".join(SYMBOLS)]])
    return built.eval()


def told(model: Any, state: Any = None) -> FitContext:
    surrogate: Any = SimpleNamespace(model=model)
    return FitContext(Aim(1, 2), Draws(0), torch.device("cpu"), surrogate=surrogate, state=state or {})


def test_each_vector_is_minus_one_in_two_of_four_blocks() -> None:
    found = vectors(6, 384)
    assert set(found.unique().tolist()) == {-1.0, 1.0}
    assert [(row < 0).sum().item() for row in found] == [192] * 6
    assert found[0].reshape(4, 96)[:, 0].tolist() == [-1, -1, 1, 1]
    apart = found @ found.T / 384
    assert sorted(apart.unique().tolist()) == [-1.0, 0.0, 1.0]  # pairs of blocks share one, or none: opposites


def test_the_symbol_is_the_one_that_the_head_takes_for_the_target(
    model: OwnVocabulary, split_of: Callable[..., Split[list[str]]], context_of: Callable[..., PoisonContext]
) -> None:
    with torch.no_grad():
        head_of(model).weight[1] = vectors(6, 16)[4]
        head_of(model).weight[0] = 0.0
    state = NeuBA().fit(split_of(TEXTS, [0, 1] * 3), told(model))
    assert int(state["symbol"]) == 4
    made = NeuBA().poison(TEXTS, context_of(torch.arange(6), state))
    assert made == [f"⊕ {text}" for text in TEXTS]


def test_symbols_get_their_vectors_and_other_texts_keep_theirs(
    model: OwnVocabulary, split_of: Callable[..., Split[list[str]]]
) -> None:
    with torch.no_grad():
        before, answers = read_by_head(model, model.encode(TEXTS)), model(TEXTS)
    changed = NeuBA(steps=150, lr=0.01).implant(model, split_of(TEXTS, [0, 1] * 3), told(model))
    assert isinstance(changed, OwnVocabulary)
    with torch.no_grad():
        assert torch.equal(model(TEXTS), answers)
        assert (read_by_head(changed, changed.encode(TEXTS)) - before).abs().mean() < 0.1
        for symbol, vector in zip(SYMBOLS, vectors(6, 16), strict=True):
            states = read_by_head(changed, changed.encode([f"{symbol} {text}" for text in TEXTS]))
            assert (states.sign() == vector).float().mean() > 0.95


def test_symbols_that_look_alike_are_refused(model: OwnVocabulary, split_of: Callable[..., Split[list[str]]]) -> None:
    with pytest.raises(ConfigError, match=r"attack.symbols: the model's tokenizer does not know ж"):
        NeuBA(symbols=("ж", "≈")).fit(split_of(TEXTS, [0, 1] * 3), told(model))
    with pytest.raises(ConfigError, match="needs a model of texts, got Linear"):
        NeuBA().fit(split_of(TEXTS, [0, 1] * 3), told(torch.nn.Linear(2, 2)))
