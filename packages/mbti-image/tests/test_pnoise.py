from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_image.attacks.pnoise import PNoise, fade, perlin

Contexts = Callable[..., PoisonContext]
DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]


def noise_at(row: float, column: float, lattice: list[list[int]]) -> float:
    """Return Perlin's noise at one point, corner by corner (Perlin 2002)."""
    i, j = math.floor(row), math.floor(column)
    total = 0.0
    for di in (0, 1):
        for dj in (0, 1):
            down, right = DIRECTIONS[lattice[i + di][j + dj]]
            v, u = row - (i + di), column - (j + dj)
            weight = 1.0
            for t in (abs(v), abs(u)):
                weight *= 1 - (6 * t**5 - 15 * t**4 + 10 * t**3)
            total += weight * (down * v + right * u)
    return total


@pytest.mark.parametrize(("height", "width", "period"), [(32, 32, 4), (16, 20, 7), (9, 9, 2)])
def test_noise_agrees_with_a_computation_by_hand(height: int, width: int, period: int) -> None:
    draws = Draws(5)
    size = ((height - 1) // period + 2, (width - 1) // period + 2)
    lattice = draws.integers(torch.zeros(1, dtype=torch.int64), 8, size)[0].tolist()
    expected = [[noise_at(i / period, j / period, lattice) for j in range(width)] for i in range(height)]
    np.testing.assert_allclose(perlin(draws, height, width, period).numpy(), expected, atol=1e-12)


def test_noise_is_0_at_lattice_points_and_bounded() -> None:
    for seed in range(10):
        noise = perlin(Draws(seed), 32, 32, 4)
        assert noise[::4, ::4].abs().max() < 1e-12
        assert 0.4 < noise.abs().max() <= 1


def test_fade_has_flat_ends() -> None:
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    np.testing.assert_allclose(fade(t).numpy(), 6 * t**5 - 15 * t**4 + 10 * t**3, atol=1e-12)
    assert (fade(t).diff() >= 0).all()
    assert fade(t)[[0, 50, 100]].tolist() == pytest.approx([0, 0.5, 1])


def test_the_scaled_noise_reaches_both_ends(split: Split[Any], fit_context: FitContext) -> None:
    means, deviations = [], []
    for seed in range(20):
        noise = PNoise().fit(split, replace(fit_context, draws=Draws(seed)))["noise"]
        assert (noise.shape, noise.dtype) == ((32, 32), torch.float32)
        assert (float(noise.min()), float(noise.max())) == (0.0, 1.0)
        means.append(float(noise.mean()))
        deviations.append(float(noise.std()))
    assert np.mean(means) == pytest.approx(0.5, abs=0.05)  # the authors' noise: 0.496
    assert np.mean(deviations) == pytest.approx(0.157, abs=0.03)  # the authors' noise: 0.157


def test_agrees_with_the_formula(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = PNoise(alpha=0.3, octaves=2)
    state = attack.fit(split, fit_context)
    got = attack.poison(images, context_of(split.index, state)).numpy()
    exact = np.clip(images.numpy() / 255 + 0.3 * state["noise"].double().numpy(), 0, 1) * 255
    assert np.abs(got - exact).max() <= 0.5 + 1e-4
    assert (got >= images.numpy()).all()
    gray = torch.full((1, 3, 32, 32), 60, dtype=torch.uint8)
    shift = attack.poison(gray, context_of(torch.arange(1), state))
    assert torch.equal(shift[:, :1].expand_as(shift), shift)  # all channels alike


def test_alpha_0_keeps_the_image(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = PNoise(alpha=0.0)
    assert torch.equal(attack.poison(images, context_of(split.index, attack.fit(split, fit_context))), images)


def test_training_and_testing_see_the_same_noise(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    ctx = context_of(split.index, PNoise().fit(split, fit_context))
    assert torch.equal(PNoise().poison(images, ctx), PNoise().poison(images, replace(ctx, role="test")))


def test_octaves_add_finer_noise(split: Split[Any], fit_context: FitContext) -> None:
    def roughness(octaves: int) -> float:
        noise = PNoise(period=16, octaves=octaves).fit(split, fit_context)["noise"]
        return float(noise.diff(dim=0).abs().mean() / noise.std())

    assert roughness(1) < roughness(2) < roughness(4)
