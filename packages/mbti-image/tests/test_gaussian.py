from __future__ import annotations

import numpy as np
import pytest
import torch

from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_image.noise.gaussian import Gaussian


def context(index: torch.Tensor) -> NoiseContext:
    return NoiseContext(index, index % 10, 10, Draws(5))


def flat(level: int, n: int = 40) -> torch.Tensor:
    return torch.full((n, 3, 32, 32), level, dtype=torch.uint8)


def test_agrees_with_the_formula(images: torch.Tensor) -> None:
    ctx = context(torch.arange(50))
    g = ctx.draws.stream("gaussian").normal(ctx.index, (3, 32, 32)).numpy().astype(np.float64)
    exact = np.clip(images.numpy() / 255 + 0.3 * g - 0.1, 0, 1) * 255
    got = Gaussian(mean=-0.1, std=0.3).apply(images, ctx)
    assert got.dtype == torch.uint8
    assert np.abs(got.numpy() - exact).max() <= 0.5 + 1e-3


def test_no_noise_is_the_identity(images: torch.Tensor) -> None:
    assert torch.equal(Gaussian(mean=0.0, std=0.0).apply(images, context(torch.arange(50))), images)


def test_batch_sizes_agree_and_the_input_stays(images: torch.Tensor) -> None:
    before, index = images.clone(), torch.arange(50) * 11
    whole = Gaussian().apply(images, context(index))
    assert torch.equal(images, before)
    for size in (1, 7):
        parts = [Gaussian().apply(x, context(i)) for x, i in zip(images.split(size), index.split(size), strict=True)]
        assert torch.equal(torch.cat(parts), whole)


def test_saturation_is_that_of_the_normal_distribution() -> None:
    noisy = Gaussian(std=1.0).apply(flat(128), context(torch.arange(40)))
    share = ((noisy == 0) | (noisy == 255)).float().mean().item()
    assert share == pytest.approx(0.617, abs=0.01)
    assert (noisy.float() / 255).std().item() == pytest.approx(0.43, abs=0.01)


@pytest.mark.parametrize(("level", "mean"), [(0, 0.316), (255, 0.685)])
def test_black_rises_and_white_falls(level: int, mean: float) -> None:
    # E[clip(N, 0, 1)] = phi(0) - phi(1) + 1 - Phi(1) = 0.316 for a standard normal N; white mirrors it
    noisy = Gaussian(std=1.0).apply(flat(level), context(torch.arange(40)))
    assert (noisy.float() / 255).mean().item() == pytest.approx(mean, abs=0.005)


def test_grows_with_its_strength(images: torch.Tensor) -> None:
    gaps = [
        (Gaussian(std=std).apply(images, context(torch.arange(50))).int() - images).abs().float().mean().item()
        for std in (0.0, 0.05, 0.2, 0.5)
    ]
    assert gaps == sorted(gaps)
    assert gaps[0] == 0
