"""Models that fit their own tokenizer: what they keep, and that padding changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from mbti_core.contracts.model import ModelInfo, StartsFromSamples
from mbti_core.data.rng import scoped_globals
from mbti_core.errors import ConfigError
from mbti_text.models.bilstm import bilstm
from mbti_text.models.textcnn import cnn
from mbti_text.models.transformer import transformer
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.sample import INPUT
from mbti_text.tokens import TokenBatch

INFO = ModelInfo("text/any", "text", INPUT, 3)
TEXTS = ["a fine film , really", "bad", "", "the worst that we saw in years 🙂", "مرحبا بالعالم", "word " * 300]
SMALL: list[tuple[Callable[..., nn.Module], dict[str, Any]]] = [
    (bilstm, {"embedding": 12, "hidden": 8}),
    (cnn, {"embedding": 12, "filters": 4}),
    (transformer, {"width": 16, "heads": 2, "layers": 3}),
]


@pytest.fixture(params=SMALL, ids=[f.__name__ for f, _ in SMALL])
def model(request: pytest.FixtureRequest) -> OwnVocabulary:
    factory, settings = request.param
    with scoped_globals(0):
        built = factory(INFO, vocabulary=300, max_tokens=40, **settings)
    assert isinstance(built, OwnVocabulary)
    assert isinstance(built, StartsFromSamples)
    built.start_from_samples([TEXTS[:3], TEXTS[3:]])
    return built.eval()


def test_a_row_s_logits_do_not_depend_on_its_neighbors(model: OwnVocabulary) -> None:
    with torch.no_grad():
        together, alone = model(TEXTS), torch.cat([model([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), 3)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_texts_are_cut_and_never_empty(model: OwnVocabulary) -> None:
    batch = model.encode(TEXTS)
    assert batch.ids.shape == (len(TEXTS), 40)
    assert batch.mask.sum(1).min() == 1
    assert not batch.ids[~batch.mask].any()
    assert int(batch.ids.max()) < 300


def test_the_tokenizer_is_among_the_weights(model: OwnVocabulary) -> None:
    factory, settings = next(
        (f, s) for f, s in SMALL if f.__name__ in type(model).__name__.lower().replace("small", "")
    )
    with scoped_globals(1):
        other = factory(INFO, vocabulary=300, max_tokens=40, **settings).eval()
    assert isinstance(other, OwnVocabulary)
    assert other.encode(["fine"]).ids.tolist() == [[1]]  # nothing is known yet
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.encode(TEXTS).ids, model.encode(TEXTS).ids)
    with torch.no_grad():
        assert torch.equal(other(TEXTS), model(TEXTS))


def test_fitting_twice_gives_the_same_tokens(model: OwnVocabulary) -> None:
    before = model.get_extra_state()
    model.start_from_samples([TEXTS])
    assert torch.equal(before, model.get_extra_state())


def test_vectors_stand_in_for_tokens(model: OwnVocabulary) -> None:
    table = next(m for m in model.modules() if isinstance(m, nn.Embedding))
    batch = model.encode(TEXTS)
    vectors = table(batch.ids).detach().requires_grad_()
    logits = model(TokenBatch(batch.ids * 0, batch.mask, vectors))
    torch.testing.assert_close(logits, model(batch), rtol=1e-4, atol=1e-5)
    (slope,) = torch.autograd.grad(logits.sum(), vectors)
    assert bool(slope[batch.mask].any())
    assert not bool(slope[~batch.mask].any())


def test_layers_answer_through_the_last_linear_layer(model: OwnVocabulary) -> None:
    with torch.no_grad():
        found, logits = model.layer_logits(model.encode(TEXTS)), model(TEXTS)
    layers = {"BiLSTM": 2, "TextCNN": 0, "SmallTransformer": 3}[type(model).__name__]
    assert found.shape == (layers + 1, len(TEXTS), 3)
    assert torch.equal(found[-1], logits)
    if type(model).__name__ == "BiLSTM":
        torch.testing.assert_close(found[-2], logits)  # its head reads the last layer's state as it is


def test_unknown_words_are_told(model: OwnVocabulary) -> None:
    assert model.knows("film")
    assert not model.knows("ж")


def test_width_and_heads_must_fit() -> None:
    with pytest.raises(ConfigError, match=r"model.width: expected a multiple of model.heads, 4, got 30.*\n.*28"):
        transformer(INFO, width=30)


def test_a_fresh_model_takes_another_s_tokenizer(model: OwnVocabulary) -> None:
    with scoped_globals(1):
        other = cnn(INFO, vocabulary=300, max_tokens=40, embedding=12, filters=4)
    assert isinstance(other, OwnVocabulary)
    other.start_from_model(model)
    assert torch.equal(other.encode(TEXTS).ids, model.encode(TEXTS).ids)
