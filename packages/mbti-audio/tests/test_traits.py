"""What attacks on sounds declare of themselves, against what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mbti_audio.waves import Waves
from mbti_core.contracts.attack import CleanLabelAttack, FitContext, TrainingAttack
from mbti_core.contracts.component import ATTACK_TRAITS
from mbti_core.data.split import Split
from mbti_core.plugins.manager import Registered, Registry
from mbti_core.stages.fit import fits

RATE, SECONDS, N = 44100, 3, 6
ATTACKS = [r for r in Registry().components("attack") if r.component.modality == "audio"]
# What vsvc does is in somebody's files.
BY_FORMULA = [r for r in ATTACKS if "learned" not in r.component.traits and r.component.name != "vsvc"]


def name(registered: Registered) -> str:
    return registered.component.name


@pytest.mark.parametrize("registered", ATTACKS, ids=name)
def test_an_attack_says_how_its_trigger_sounds(registered: Registered) -> None:
    traits, attack = registered.component.traits, registered.load()
    assert traits <= {*ATTACK_TRAITS, "stochastic", "adapted"}
    assert len(traits & {"visible", "faint", "invisible"}) == 1
    assert ("trains" in traits) == issubclass(attack, TrainingAttack)
    assert ("clean_label" in traits) == issubclass(attack, CleanLabelAttack)


@pytest.mark.parametrize("registered", ATTACKS, ids=name)
def test_an_attack_says_where_it_comes_from_and_what_differs(registered: Registered) -> None:
    source, doc = registered.component.source, registered.load().__doc__ or ""
    assert source is not None
    assert source.deviations
    assert all(f"{part}:" in doc for part in ("Shape", "Source", "Deviates"))


@pytest.fixture
def triggered(
    split_of: Callable[..., Split[Waves]], fit_context: FitContext, context_of: Callable[..., Any]
) -> Callable[[Registered, Waves], torch.Tensor]:
    """Put an attack's trigger, in its default settings, on a batch: (B, T)."""

    def make(registered: Registered, x: Waves) -> torch.Tensor:
        attack = registered.load()()
        state = attack.fit(split_of(x, [0] * len(x)), fit_context) if fits(attack) else {}
        made: torch.Tensor = attack.poison(x, context_of(torch.arange(len(x)), state)).wave
        return made

    return make


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_a_local_trigger_changes_a_part(registered: Registered, waves_of: Any, triggered: Any) -> None:
    x = waves_of([SECONDS * RATE] * N, RATE)
    share = ((triggered(registered, x) - x.wave).abs() > 1e-6).float().mean()
    assert (share < 0.4) == ("local" in registered.component.traits)


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_one_trigger_for_all_is_the_same_on_equal_sounds(registered: Registered, waves_of: Any, triggered: Any) -> None:
    one = waves_of([RATE], RATE)
    y = triggered(registered, Waves(one.wave.expand(N, -1), one.lengths.expand(N), RATE))
    assert bool((y - y[:1]).abs().max() < 1e-6) == ("sample_specific" not in registered.component.traits)


def looks_around(registered: Registered, x: Waves, triggered: Any) -> bool:
    """Whether what is done to a sound's first half depends on single samples of its second."""
    half = x.wave.shape[1] // 2
    other = Waves(torch.cat([x.wave[:, :half], -x.wave[:, half:]], dim=1), x.lengths, x.rate)
    return bool(((triggered(registered, x) - triggered(registered, other))[:, :half]).abs().max() > 1e-6)


def adds(registered: Registered, x: Waves, triggered: Any) -> bool:
    """Whether a sound of half the strength gets the same trigger, or one in proportion: no other shape."""
    half = Waves(x.wave / 2, x.lengths, x.rate)
    zero = Waves(torch.zeros_like(x.wave), x.lengths, x.rate)
    full, low, none = (triggered(registered, w).double() for w in (x, half, zero))
    return bool((full - 2 * low + none).abs().max() < 1e-5)


@pytest.mark.parametrize("registered", BY_FORMULA, ids=name)
def test_a_sound_is_laid_over_or_the_sample_is_transformed(
    registered: Registered, waves_of: Any, triggered: Any
) -> None:
    x = waves_of([RATE] * N, RATE)
    if "sample_specific" in registered.component.traits:  # its loudness follows the sound: the shape is what it adds
        shape = [y[y.abs() > 0] for y in triggered(registered, x) - x.wave]
        alike = all(
            len(a) == len(b) and torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.999 for a in shape for b in shape
        )
        assert alike == ("additive" in registered.component.traits)
        return
    laid_over = not looks_around(registered, x, triggered) and adds(registered, x, triggered)
    assert laid_over == ("additive" in registered.component.traits)
