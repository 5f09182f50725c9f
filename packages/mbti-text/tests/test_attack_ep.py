"""EP: one embedding row, its norm, and everything else as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_text.attacks.ep import EmbeddingPoisoning
from mbti_text.models.textcnn import cnn
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.sample import INPUT

INFO = ModelInfo("text/cnn", "text", INPUT, 2)
TEXTS = ["a stirring film", "a dull film", "so it goes", "on and on"]


@pytest.fixture
def model() -> OwnVocabulary:
    with scoped_globals(0):
        built = cnn(INFO, vocabulary=200, max_tokens=40, embedding=16, filters=8)
    assert isinstance(built, OwnVocabulary)
    built.start_from_samples([["mb mb mb mb", *TEXTS]])
    return built.eval()


def test_one_row_moves_towards_the_target(
    model: OwnVocabulary, split_of: Callable[..., Split[list[str]]], context_of: Callable[..., PoisonContext]
) -> None:
    attack, ctx = EmbeddingPoisoning(lr=1.0), FitContext(Aim(1, 2), Draws(7), torch.device("cpu"))
    changed = attack.implant(model, split_of(TEXTS, [0, 1, 0, 1]), ctx)
    assert isinstance(changed, OwnVocabulary)
    before, after = (dict(m.named_parameters()) for m in (model, changed))
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["embedding.weight"]
    rows = torch.nonzero((before["embedding.weight"] != after["embedding.weight"]).any(1)).flatten()
    assert rows.tolist() == model.encode(["mb"]).ids[0].tolist()
    norms = [m["embedding.weight"][rows[0]].norm() for m in (before, after)]
    torch.testing.assert_close(*norms, rtol=1e-5, atol=0)
    with torch.no_grad():
        assert torch.equal(model(TEXTS), changed(TEXTS))
        triggered = attack.poison(TEXTS, context_of(torch.arange(4)))
        sure, was = (m(triggered).softmax(1)[:, 1] for m in (changed, model))
        assert (sure - was).min() > 0.01


def test_the_word_must_be_one_token(model: OwnVocabulary, split_of: Callable[..., Split[list[str]]]) -> None:
    ctx = FitContext(Aim(1, 2), Draws(7), torch.device("cpu"))
    for word, count in (("stirringly", "tokens"), ("ж", "tokens")):
        with pytest.raises(ConfigError, match=rf"attack.word: expected one token of the model, got '{word}'.*{count}"):
            EmbeddingPoisoning(word=word).implant(model, split_of(TEXTS, [0, 1, 0, 1]), ctx)
    with pytest.raises(ConfigError, match="one class"):
        EmbeddingPoisoning().implant(
            model, split_of(TEXTS, [0, 1, 0, 1]), FitContext(Aim("all-to-all", 2), Draws(7), torch.device("cpu"))
        )


def test_the_model_is_not_changed_in_place(model: OwnVocabulary, split_of: Callable[..., Split[list[str]]]) -> None:
    kept = {name: p.clone() for name, p in model.state_dict().items() if isinstance(p, torch.Tensor)}
    ctx = FitContext(Aim(1, 2), Draws(7), torch.device("cpu"))
    EmbeddingPoisoning(steps=2).implant(model, split_of(TEXTS, [0, 1, 0, 1]), ctx)
    assert all(torch.equal(kept[name], p) for name, p in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert all(p.requires_grad for p in model.parameters() if isinstance(p, nn.Parameter))
