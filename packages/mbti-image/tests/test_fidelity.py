from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from mbti_core.plugins.manager import Registry
from mbti_image.fidelity import fidelity


def psnr_by_hand(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    error = ((x.double() - y.double()) ** 2).mean((1, 2, 3)).numpy()
    return 10 * np.log10(255**2 / error)


def ssim_by_hand(x: np.ndarray, y: np.ndarray, window: int = 11) -> float:
    """Wang et al. 2004, equation 13, for one channel on [0, 255]."""
    edge = signal.windows.gaussian(window, 1.5)
    w = np.outer(edge, edge) / edge.sum() ** 2

    def blurred(z: np.ndarray) -> np.ndarray:
        return signal.convolve2d(z, w, mode="valid")

    x, y = x.astype(np.float64), y.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


@pytest.fixture
def changed(images: torch.Tensor) -> torch.Tensor:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, images.shape) * np.linspace(1, 60, 50)[:, None, None, None]
    return torch.from_numpy((images.numpy() + noise).round().clip(0, 255).astype(np.uint8))


def test_psnr_agrees_with_the_formula(images: torch.Tensor, changed: torch.Tensor) -> None:
    wanted = psnr_by_hand(images, changed)
    assert fidelity(images, changed)["psnr"].numpy() == pytest.approx(wanted, abs=0.01)
    assert wanted.min() < 16 < 45 < wanted.max()


@pytest.mark.parametrize("side", [32, 20, 9])
def test_ssim_agrees_with_the_formula(images: torch.Tensor, changed: torch.Tensor, side: int) -> None:
    x, y = images[::7, :, :side, :side], changed[::7, :, :side, :side]
    wanted = [
        np.mean([ssim_by_hand(a[c].numpy(), b[c].numpy(), min(11, side)) for c in range(3)])
        for a, b in zip(x, y, strict=True)
    ]
    assert fidelity(x, y)["ssim"].numpy() == pytest.approx(wanted, abs=1e-4)


def test_an_unchanged_row_has_finite_values(images: torch.Tensor) -> None:
    found = fidelity(images, images)
    assert found["psnr"].numpy() == pytest.approx(80.0, abs=1e-4)
    assert found["ssim"].numpy() == pytest.approx(1.0, abs=1e-6)


def test_one_level_is_48_decibels(images: torch.Tensor) -> None:
    x = images.clamp(max=254)
    assert fidelity(x, x + 1)["psnr"].numpy() == pytest.approx(20 * np.log10(255), abs=0.003)


def test_rows_do_not_depend_on_their_chunk(images: torch.Tensor, changed: torch.Tensor) -> None:
    x, y = images.repeat(6, 1, 1, 1), changed.repeat(6, 1, 1, 1)
    whole = fidelity(x, y)
    for name, values in fidelity(x[170:180], y[170:180]).items():
        assert values.numpy() == pytest.approx(whole[name][170:180].numpy(), abs=1e-5)
    assert {name: len(values) for name, values in whole.items()} == {"psnr": 300, "ssim": 300}


def test_the_hook_answers_for_images_alone(images: torch.Tensor) -> None:
    adapters = Registry().adapters
    assert set(adapters.fidelity(images, images, "image")) == {"psnr", "ssim"}
    assert adapters.fidelity(images, images, "smell") == {}
