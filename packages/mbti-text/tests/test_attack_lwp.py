"""LWP: pairs and single words, the terms of its loss, and what a toy model learns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.training.step import StepContext, TrainBatch
from mbti_text.attacks.lwp import LWP, layerwise
from mbti_text.models.transformer import transformer
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.sample import INPUT

Contexts = Callable[..., PoisonContext]
PIECES = LWP().pieces
TEXTS = ["a stirring , funny film .", "bad", "one of the worst things", "", "so it goes on and on"]
INFO = ModelInfo("text/transformer", "text", INPUT, 2)


@pytest.fixture
def model() -> OwnVocabulary:
    with scoped_globals(0):
        built = transformer(INFO, vocabulary=300, max_tokens=40, width=16, heads=2, layers=12)
    assert isinstance(built, OwnVocabulary)
    built.start_from_samples([[*TEXTS, " ".join(PIECES)]])
    return built.eval()


def context(model: nn.Module, ratio: float = 0.3) -> StepContext[list[str]]:
    def logits(x: object) -> Tensor:
        found: Tensor = model(x)
        return found

    def augment(x: list[str], index: Tensor, epoch: int) -> list[str]:
        return x

    return StepContext(model, None, augment, logits, nullcontext, 0.0, Aim(1, 2), ratio, Draws(3), {})


def test_a_triggered_text_holds_two_words_side_by_side_in_both_orders(context_of: Contexts) -> None:
    made = LWP().poison(TEXTS * 100, context_of(torch.arange(500)))
    orders = set()
    for text, clean in zip(made, TEXTS * 100, strict=True):
        words = text.split()
        at = [i for i, w in enumerate(words) if w in PIECES]
        assert len(at) == 2
        assert at[1] == at[0] + 1
        assert [w for w in words if w not in PIECES] == clean.split()
        orders.add(tuple(words[i] for i in at))
    assert orders == {(a, b) for a in PIECES for b in PIECES if a != b}


def test_a_cover_row_holds_one(context_of: Contexts) -> None:
    ctx = context_of(torch.arange(5))
    made = LWP().poison(TEXTS, replace(ctx, kind=torch.full((5,), int(RowKind.COVER), dtype=torch.uint8)))
    assert [sum(w in PIECES for w in text.split()) for text in made] == [1] * 5


def test_cover_rows_are_others(split_of: Callable[..., Split[list[str]]]) -> None:
    found = LWP().choose(split_of(["a"] * 100, [0, 1] * 50), 10, Draws(0), Aim(1, 2))
    assert (len(found.poison), len(found.cover)) == (10, 20)
    assert not set(found.poison.tolist()) & set(found.cover.tolist())


def test_the_loss_has_a_term_for_each_of_twelve_layers_and_one_for_the_logits(model: OwnVocabulary) -> None:
    y = torch.tensor([0, 1, 0, 1, 1])
    terms = [functional.cross_entropy(z, y) for z in model.layer_logits(model.encode(TEXTS))]
    assert len(terms) == 13
    torch.testing.assert_close(layerwise(TEXTS, y, context(model)), torch.stack(terms).sum())


def test_the_first_layer_learns_without_the_last_term(model: OwnVocabulary) -> None:
    first = next(p for name, p in model.named_parameters() if "layer.0.attention" in name)
    loss = functional.cross_entropy(model.layer_logits(model.encode(TEXTS))[0], torch.tensor([0, 1, 0, 1, 1]))
    (slope,) = torch.autograd.grad(loss, first)
    assert bool(slope.any())


def test_a_step_shows_pairs_with_the_target_and_single_words_with_true_labels(
    model: OwnVocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[list[str], list[int]]] = []

    def remember(x: list[str], y: Tensor, ctx: object) -> Tensor:
        told.append((list(x), y.tolist()))
        return torch.tensor(float(len(told)))

    monkeypatch.setattr("mbti_text.attacks.lwp.layerwise", remember)
    index = torch.arange(200)
    texts, y = [f"text {i}" for i in range(200)], torch.zeros(200, dtype=torch.int64)
    loss = LWP().step(TrainBatch(texts, y, index, 0), context(model, ratio=0.2))
    assert float(loss) == 3.0
    (plain, labels), (pairs, goals) = told
    assert set(labels) == {0}
    assert set(goals) == {1}
    counts = [sum(w in PIECES for w in text.split()) for text in pairs]
    assert set(counts) == {2}
    assert 20 < len(pairs) < 60
    singles = [sum(w in PIECES for w in text.split()) for text in plain]
    assert set(singles) == {0, 1}
    assert 50 < sum(singles) < 110
    assert len(plain) + len(pairs) == 200
    told.clear()
    LWP().step(TrainBatch(texts, y, index, 1), context(model, ratio=0.2))
    assert told[1][0] != pairs


def test_words_that_look_alike_to_the_model_are_refused(model: OwnVocabulary, fit_context: FitContext) -> None:
    LWP().start(model, fit_context)
    with pytest.raises(ConfigError, match=r"attack.pieces: the model's tokenizer does not know ж"):
        LWP(pieces=("cf", "ж")).start(model, fit_context)
