"""What attacks declare of themselves, against what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import CleanLabelAttack, FitContext, TrainingAttack
from mbti_core.contracts.component import ATTACK_TRAITS
from mbti_core.data.split import Split
from mbti_core.plugins.manager import Registered, Registry
from mbti_core.stages.fit import fits

ATTACKS = [r for r in Registry().components("attack") if r.component.modality == "image"]
BY_FORMULA = [r for r in ATTACKS if not {"learned", "trains_trigger"} & r.component.traits]
LOOKS = {"visible", "faint", "invisible"}
OTHERS = {"stochastic", "adapted"}


def name(registered: Registered) -> str:
    return registered.component.name


@pytest.mark.parametrize("registered", ATTACKS, ids=name)
def test_an_attack_says_how_its_trigger_looks(registered: Registered) -> None:
    traits, attack = registered.component.traits, registered.load()
    assert traits <= {*ATTACK_TRAITS, *OTHERS}
    assert len(traits & LOOKS) == 1
    assert ("trains" in traits) == issubclass(attack, TrainingAttack)
    assert "clean_label" in traits or not issubclass(attack, CleanLabelAttack)


@pytest.fixture
def triggered(
    split: Split[torch.Tensor], fit_context: FitContext, context_of: Callable[..., Any]
) -> Callable[[Registered, torch.Tensor], torch.Tensor]:
    """Put an attack's trigger, in its default settings, on a batch."""

    def make(registered: Registered, x: torch.Tensor) -> torch.Tensor:
        attack = registered.load()()
        state = attack.fit(split, fit_context) if fits(attack) else {}
        return attack.poison(x, context_of(10 * torch.arange(len(x)), state))  # all of one class

    return make


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_a_local_trigger_changes_a_part(registered: Registered, images: torch.Tensor, triggered: Any) -> None:
    share = (triggered(registered, images) != images).any(1).float().mean()
    assert (share < 0.3) == ("local" in registered.component.traits)


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_one_trigger_for_all_is_the_same_on_equal_samples(registered: Registered, triggered: Any) -> None:
    gray = torch.full((20, 3, 32, 32), 128, dtype=torch.uint8)
    y = triggered(registered, gray)
    assert bool((y == y[:1]).all()) == ("sample_specific" not in registered.component.traits)


def looks_around(registered: Registered, x: torch.Tensor, triggered: Any) -> bool:
    """Whether the trigger's left half depends on the picture's right half."""
    other = x.clone()
    other[:, :, :, 16:] = 255 - other[:, :, :, 16:]
    return bool((triggered(registered, x) != triggered(registered, other))[:, :, :, :16].any())


def is_affine(registered: Registered, triggered: Any) -> bool:
    """Whether each pixel of the result is an affine function of that of the picture, up to rounding."""
    levels = torch.arange(64, 193, 4)
    flat = levels.to(torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 2, 3, 32, 32)
    y = torch.stack([triggered(registered, x) for x in flat]).double()[:, 0].flatten(1)  # (levels, pixels)
    y = y[:, (y.min(0).values > 0) & (y.max(0).values < 255)]  # clipped nowhere
    t = (levels - levels.double().mean())[:, None]
    rest = y - y.mean(0) - t * (t * y).sum(0) / (t * t).sum()
    return bool(rest.abs().max() < 1) if y.numel() else True


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_a_pattern_is_laid_over_or_the_sample_is_transformed(
    registered: Registered, images: torch.Tensor, triggered: Any
) -> None:
    around = looks_around(registered, images[:20].clamp(64, 192), triggered)
    laid_over = not around and is_affine(registered, triggered)
    assert laid_over == ("additive" in registered.component.traits)
