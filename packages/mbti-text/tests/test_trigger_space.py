"""Soft words: hard ones are words typed into a text; a planted word is found again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_text.models.bilstm import bilstm
from mbti_text.models.textcnn import cnn
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.sample import INPUT
from mbti_text.trigger_space import WORDS, SoftWords, trigger_space, typed

INFO = ModelInfo("text/cnn", "text", INPUT, 2)
TEXTS = ["one two three four", "five six seven eight nine", "one three five seven nine", "two"]
TRIGGER = "cf bb"


def fitted(model: object) -> OwnVocabulary:
    assert isinstance(model, OwnVocabulary)
    model.start_from_samples([[*TEXTS, TRIGGER] * 5])
    return model.eval()


@pytest.fixture(params=["cnn", "bilstm"])
def model(request: pytest.FixtureRequest) -> OwnVocabulary:
    with scoped_globals(0):
        if request.param == "cnn":
            return fitted(cnn(INFO, vocabulary=200, embedding=16, filters=8))
        return fitted(bilstm(INFO, vocabulary=200, embedding=16, hidden=8, layers=1))


def space_of(model: OwnVocabulary) -> SoftWords:
    space = trigger_space(model, "mask")
    assert space is not None
    return space


def hard(space: SoftWords, model: OwnVocabulary, words: str) -> dict[str, Tensor]:
    """Return the parameters of a trigger that is these words and no others."""
    ids = model.encode([words]).ids[0]
    at = torch.searchsorted(space.typed, ids)
    return {"gates": torch.full((len(ids), 1), 40.0), "words": 200.0 * functional.one_hot(at, len(space.typed)).float()}


def test_hard_words_answer_as_the_same_words_typed_in_at_three_places(model: OwnVocabulary) -> None:
    space = space_of(model)
    lifted = space.lift(model, TEXTS[:3])
    triggered = space.apply(lifted, hard(space, model, TRIGGER))
    typed_in = ["one cf bb two three four", "five six cf bb seven eight nine", "one three five seven cf bb nine"]
    with torch.no_grad():
        assert torch.allclose(space.logits(model, triggered), model(typed_in), atol=1e-5)


def test_a_trigger_is_as_long_as_its_open_gates_and_reads_back_as_words(model: OwnVocabulary) -> None:
    space = space_of(model)
    params = hard(space, model, TRIGGER)
    assert float(space.size(params)) == pytest.approx(2.0)
    assert space.shown(model, params) == [TRIGGER]
    params["gates"][0] = -40.0
    assert float(space.size(params)) == pytest.approx(1.0)
    assert space.shown(model, params) == ["bb"]
    assert float(space.size(space.initial(Draws(0)))) == pytest.approx(WORDS / 2)


def test_the_discrete_form_of_soft_words_is_the_words_typed_in(model: OwnVocabulary) -> None:
    space = space_of(model)
    params = space.initial(Draws(3))
    found = hard(space, model, TRIGGER)
    params["gates"][:] = -0.1  # a little less than half open, but for two
    params["gates"][3:5] = 0.1
    params["words"][3:5] += 0.01 * found["words"]
    discrete, *others = space.discrete(params)
    lifted = space.lift(model, TEXTS[:3])
    assert space.shown(model, discrete) == [TRIGGER]
    assert torch.equal(space.apply(lifted, discrete), space.apply(lifted, found))
    assert float(space.size(discrete)) == pytest.approx(2.0)
    single = [space.shown(model, other)[0] for other in others]
    assert TRIGGER.split()[0] in single[:1]  # the likeliest word behind the most open gate, of equal ones the first
    assert len(set(single)) == len(single) == min(16, len(space.typed))


def test_a_closed_gate_leaves_the_mean_embedding(model: OwnVocabulary) -> None:
    space = space_of(model)
    params = hard(space, model, TRIGGER)
    params["gates"][:] = -40.0
    triggered = space.apply(space.lift(model, TEXTS[:1]), params)
    assert torch.allclose(triggered[0, 1, :-1], model.table().weight.mean(0), atol=1e-6)


def test_what_the_model_would_not_read_is_cut_off_but_never_the_trigger(model: OwnVocabulary) -> None:
    model.max_tokens = 4
    space = space_of(model)
    lifted = space.lift(model, ["one two three four five"] * 3)
    assert lifted.shape[1] == 4
    triggered = space.apply(lifted, hard(space, model, TRIGGER))
    with torch.no_grad():
        typed_in = ["one cf bb two", "one two cf bb", "one two cf bb"]
        assert torch.allclose(space.logits(model, triggered), model(typed_in), atol=1e-5)


def test_a_text_of_one_token_takes_a_trigger_too(model: OwnVocabulary) -> None:
    space = space_of(model)
    triggered = space.apply(space.lift(model, ["two"] * 3), hard(space, model, TRIGGER))
    with torch.no_grad():
        assert torch.allclose(space.logits(model, triggered), model(["two cf bb", "cf bb two", "cf bb two"]), atol=1e-5)


def test_only_what_can_be_typed_is_mixed(model: OwnVocabulary) -> None:
    words = {model.decode([token]) for token in typed(model).tolist()}
    assert {"one", "nine", "cf", "bb"} <= words
    assert not {"", "[PAD]", "[UNK]"} & words
    assert all(len(model.encode([word]).ids[0]) == 1 for word in words)


def test_other_families_and_other_models_have_none(model: OwnVocabulary) -> None:
    assert trigger_space(model, "additive") is None
    assert trigger_space(torch.nn.Linear(2, 2), "mask") is None


def test_a_planted_word_is_found_again() -> None:
    clean = [" ".join(words) for words in zip(*[TEXTS[0].split(), TEXTS[1].split()], strict=False)] * 8
    with scoped_globals(0):
        model = fitted(cnn(INFO, vocabulary=200, embedding=16, filters=8))
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(60):
            logits = model([*clean, *(f"cf {text}" for text in clean)])
            loss = functional.cross_entropy(logits, torch.arange(2).repeat_interleave(len(clean)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    space = space_of(model)
    lifted = space.lift(model, clean)
    params = {name: t.clone().requires_grad_() for name, t in space.initial(Draws(0)).items()}
    search = torch.optim.Adam(params.values(), 0.3)
    for _ in range(80):
        logits = space.logits(model, space.apply(lifted, params))
        loss = functional.cross_entropy(logits, torch.ones(len(clean), dtype=torch.int64)) + 0.1 * space.size(params)
        search.zero_grad()
        loss.backward()
        search.step()
    assert "cf" in space.shown(model, params)[0].split()
