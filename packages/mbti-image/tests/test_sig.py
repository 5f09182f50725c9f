from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.stages.poison import poison
from mbti_image.attacks.sig import Sig

Contexts = Callable[..., PoisonContext]


@pytest.mark.parametrize("strength", [0.0, 20.0, 40.0])
def test_agrees_with_the_formula(
    strength: float, images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = Sig(strength=strength)
    got = attack.poison(images, context_of(split.index, attack.fit(split, fit_context))).numpy()
    v = np.array([strength * np.sin(2 * np.pi * j * 6 / 32) for j in range(32)])
    assert np.abs(got - np.clip(images.numpy() + v, 0, 255)).max() <= 0.5
    if strength == 0:
        np.testing.assert_array_equal(got, images.numpy())


@pytest.mark.parametrize(("strength", "mean"), [(20, 12.57), (30, 18.85), (40, 25.14)])
def test_the_wave(strength: float, mean: float, split: Split[Any], fit_context: FitContext) -> None:
    wave = Sig(strength=strength).fit(split, fit_context)["wave"].numpy().astype(int)
    assert wave.shape == (32,)
    assert wave.sum() == 0
    assert np.abs(wave).mean() == pytest.approx(mean, abs=0.25)  # rounded to levels
    np.testing.assert_array_equal(wave[:16], wave[16:])  # three periods of 32 / 6 pixels
    assert np.argmax(np.abs(np.fft.rfft(wave))) == 6


def test_rows_and_channels_shift_alike(split: Split[Any], fit_context: FitContext, context_of: Contexts) -> None:
    gray = torch.full((4, 3, 32, 32), 128, dtype=torch.uint8)
    got = Sig().poison(gray, context_of(torch.arange(4), Sig().fit(split, fit_context)))
    assert torch.equal(got, got[:1, :1, :1].expand_as(got))


def test_only_rows_of_the_target_class_and_no_label_changes(split: Split[Any], fit_context: FitContext) -> None:
    aim = Aim(3, 10)
    made = poison(split, Sig(), aim, 0.08, 0, Sig().fit(split, fit_context), clean_label=True).split()
    hit = made.kind == RowKind.POISONED
    assert int(hit.sum()) == 4
    assert made.truth[hit].tolist() == [3] * 4
    assert torch.equal(made.labels, split.labels)
    assert torch.equal(made.take(torch.nonzero(~hit).flatten()), split.take(torch.nonzero(~hit).flatten()))


def test_more_than_the_class_holds_is_an_error_that_says_the_most(split: Split[Any], fit_context: FitContext) -> None:
    with pytest.raises(ConfigError, match=r"can poison 5 .*at most"):
        poison(split, Sig(), Aim(3, 10), 0.2, 0, Sig().fit(split, fit_context), clean_label=True)


@pytest.mark.parametrize("target", ["all-to-all", (0, 1)])
def test_needs_one_target(target: Any, split: Split[Any], fit_context: FitContext) -> None:
    with pytest.raises(ConfigError, match="one class"):
        Sig().choose(split, 2, Draws(0), replace(fit_context.aim, target=target))
