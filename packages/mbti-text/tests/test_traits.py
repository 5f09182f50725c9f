"""What attacks on texts declare of themselves, against what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import CleanLabelAttack, PoisonContext, TrainingAttack
from mbti_core.contracts.component import ATTACK_TRAITS
from mbti_core.plugins.manager import Registered, Registry
from mbti_core.stages.fit import fits

ATTACKS = [r for r in Registry().components("attack") if r.component.modality == "text"]
BY_FORMULA = [r for r in ATTACKS if not fits(r.load()()) and not {"trains", "learned"} & r.component.traits]
CLEAN = [f"the {word} was good and the {word} was new ." for word in ("film", "plot", "cast", "music")] * 10


def name(registered: Registered) -> str:
    return registered.component.name


@pytest.mark.parametrize("registered", ATTACKS, ids=name)
def test_an_attack_says_how_its_trigger_looks(registered: Registered) -> None:
    traits, attack = registered.component.traits, registered.load()
    assert traits <= {*ATTACK_TRAITS, "stochastic", "adapted"}
    assert len(traits & {"visible", "faint", "invisible"}) == 1
    assert ("trains" in traits) == issubclass(attack, TrainingAttack)
    assert ("clean_label" in traits) == issubclass(attack, CleanLabelAttack)


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_a_local_and_additive_trigger_leaves_the_words(
    registered: Registered, context_of: Callable[..., PoisonContext]
) -> None:
    made = registered.load()().poison(CLEAN, context_of(torch.arange(len(CLEAN))))
    kept = [is_within(clean.split(), text.split()) for clean, text in zip(CLEAN, made, strict=True)]
    assert all(kept) == ({"local", "additive"} <= registered.component.traits)


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_one_trigger_for_all_is_the_same_on_equal_texts(registered: Registered, context_of: Any) -> None:
    made = registered.load()().poison([CLEAN[0]] * 30, context_of(torch.arange(30)))
    assert len(set(made)) == 1 or {"stochastic", "sample_specific"} <= registered.component.traits


def is_within(some: list[str], words: list[str]) -> bool:
    """Whether words stand in a text in their order."""
    rest = iter(words)
    return all(word in rest for word in some)
