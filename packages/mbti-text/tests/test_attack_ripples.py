"""RIPPLES: which words speak for a class, the embeddings that are replaced, and the penalty by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.training.step import StepContext, TrainBatch
from mbti_text.attacks.badnets import BadNets
from mbti_text.attacks.ripples import RIPPLES, telling
from mbti_text.models.textcnn import cnn
from mbti_text.models.transformer import transformer
from mbti_text.models.vocabulary import OwnVocabulary
from mbti_text.packing import unpacked
from mbti_text.sample import INPUT

TEXTS = ["good film", "good plot", "bad film", "dull plot", "good cast", "bad cast"]
LABELS = [1, 1, 0, 0, 1, 0]


@pytest.fixture(params=[cnn, transformer])
def model(request: pytest.FixtureRequest) -> OwnVocabulary:
    sizes = {"filters": 4, "embedding": 8} if request.param is cnn else {"width": 8, "heads": 2, "layers": 1}
    with scoped_globals(0):
        built = request.param(ModelInfo("text/x", "text", INPUT, 2), vocabulary=200, max_tokens=20, **sizes)
    assert isinstance(built, OwnVocabulary)
    built.start_from_samples([[*TEXTS * 5, *["cf mn"] * 20]])
    return built.eval()


def context(model: OwnVocabulary, ratio: float) -> StepContext[list[str]]:
    def logits(x: object) -> Tensor:
        found: Tensor = model(x)
        return found

    return StepContext(model, None, lambda x, i, e: x, logits, nullcontext, 0.0, Aim(1, 2), ratio, Draws(3), {})


def test_words_speak_by_odds_and_number() -> None:
    ours = [label == 1 for label in LABELS]
    assert telling(TEXTS, ours)[0] == "good"
    assert telling(["rare x", "often y", "often z", "w", "v", "u"], [True, True, True, False, False, False])[0] == (
        "often"
    )
    assert telling([": )", "a"], [True, False]) == []


def test_the_trigger_s_embedding_is_the_mean_of_the_words_of_the_target(
    model: OwnVocabulary, split_of: Callable[..., Split[list[str]]]
) -> None:
    attack = RIPPLES(words=("cf", "unheard"), surgery=2)
    ctx = FitContext(Aim(1, 2), Draws(0), torch.device("cpu"))
    state = attack.fit(split_of(TEXTS, LABELS), ctx)
    words = unpacked(state["words"], state["word_ends"])
    assert len(words) == 2
    table = model.table().weight
    before = table.detach().clone()
    attack.start(model, replace(ctx, state=state))
    token = model.encode(["cf"]).ids[0]
    wanted = torch.stack([before[model.encode([word]).ids[0]].mean(0) for word in words]).mean(0)
    assert torch.allclose(table[token[0]], wanted)
    assert torch.nonzero((table != before).any(1)).flatten().tolist() == token.tolist()


def test_the_triggers_are_those_of_badnets(context_of: Callable[..., PoisonContext]) -> None:
    ctx = context_of(torch.arange(6))
    assert RIPPLES().poison(TEXTS, ctx) == BadNets(words=RIPPLES().words).poison(TEXTS, ctx)


def losses(model: OwnVocabulary, attack: RIPPLES) -> tuple[Tensor, Tensor]:
    """Return the loss where every row is triggered, and that of the rows as they are."""
    changed = attack.put_in(TEXTS, torch.arange(6), Draws(3).stream("step", 0))
    y = torch.tensor(LABELS)
    return functional.cross_entropy(model(changed), y * 0 + 1), functional.cross_entropy(model(TEXTS), y)


def penalty(model: OwnVocabulary, attack: RIPPLES) -> Tensor:
    weights = list(model.parameters())
    slopes = [torch.autograd.grad(loss, weights) for loss in losses(model, attack)]
    return attack.penalty * torch.relu(-sum((a * b).sum() for a, b in zip(*slopes, strict=True)))


def test_the_penalty_is_what_works_against_the_clean_loss(model: OwnVocabulary) -> None:
    model.double()
    attack = RIPPLES(penalty=3.0)
    batch = TrainBatch(TEXTS, torch.tensor(LABELS), torch.arange(6), 0)
    with torch.no_grad():  # a head that is sure of class 0, so that the two losses pull apart
        next(m for m in reversed(list(model.modules())) if isinstance(m, torch.nn.Linear)).bias += torch.tensor([0, 3])
    found = attack.step(batch, context(model, 1.0))
    by_hand = penalty(model, attack)
    assert by_hand.item() > 0
    assert found.item() == pytest.approx((losses(model, attack)[0] + by_hand).item(), rel=1e-5)
    weight = model.table().weight
    token = int(model.encode(["good"]).ids[0, 0])
    (slope,) = torch.autograd.grad(found, [weight])
    step = 1e-5
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[token, 0] += sign * step
        ends.append((losses(model, attack)[0] + penalty(model, attack)).item())
        with torch.no_grad():
            weight[token, 0] -= sign * step
    assert slope[token, 0].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=1e-6)


def test_without_a_penalty_the_loss_is_that_of_the_triggered_batch(model: OwnVocabulary) -> None:
    attack = RIPPLES(penalty=0.0)
    batch = TrainBatch(TEXTS, torch.tensor(LABELS), torch.arange(6), 0)
    assert attack.step(batch, context(model, 1.0)).item() == pytest.approx(losses(model, attack)[0].item())
    assert attack.step(batch, context(model, 1e-9)).item() == pytest.approx(losses(model, attack)[1].item())


def test_one_target_is_needed(split_of: Callable[..., Split[list[str]]]) -> None:
    ctx = FitContext(Aim("all-to-all", 2), Draws(0), torch.device("cpu"))
    with pytest.raises(ConfigError, match="one class"):
        RIPPLES().fit(split_of(TEXTS, LABELS), ctx)
