from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.split import Split, clean_kinds
from mbti_image.attacks.ftrojan import FTrojan
from mbti_image.modality import modality

Contexts = Callable[..., PoisonContext]
Array = np.ndarray[Any, np.dtype[Any]]


def chroma(rgb: Array) -> tuple[Array, Array]:
    """Return Cr and Cb of (..., 3, H, W), without the offset of 128."""
    red, green, blue = (rgb[..., c, :, :] for c in range(3))
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    return (red - y) * 0.713, (blue - y) * 0.564


def to_rgb(cr: Array, cb: Array) -> Array:
    """Return what differences in Cr and Cb add to R, G and B: the inverse of ``chroma`` at constant Y."""
    forward = np.array([[0.299, 0.587, 0.114], [0.701 * 0.713, -0.587 * 0.713, -0.114 * 0.713], [0, 0, 0]])
    forward[2] = np.array([-0.299, -0.587, 0.886]) * 0.564
    added: Array = np.einsum("cd,dhw->chw", np.linalg.inv(forward), np.stack([0 * cr, cr, cb]))
    return added


def by_scipy(height: int, width: int) -> Array:
    """Return what the attack adds: coefficients (15, 15) and (31, 31) of each window raised by 30."""
    spectrum = np.zeros((32, 32))
    spectrum[15, 15] = spectrum[31, 31] = 30
    window = idctn(spectrum, norm="ortho")
    tiled = np.tile(window, (height // 32 + 1, width // 32 + 1))[:height, :width]
    return to_rgb(tiled, tiled)


def fitted(attack: FTrojan, height: int, width: int, fit_context: FitContext) -> dict[str, torch.Tensor]:
    array, rows = np.zeros((2, 3, height, width), dtype=np.uint8), torch.arange(2)
    return attack.fit(Split(ArrayColumn(array), rows, rows, clean_kinds(2), rows, modality()), fit_context)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (16, 16), (40, 100)])
def test_the_pattern_is_an_inverse_transform(height: int, width: int, fit_context: FitContext) -> None:
    pattern = fitted(FTrojan(), height, width, fit_context)["pattern"].numpy()
    exact = by_scipy(height, width)
    assert pattern.shape == (3, height, width)
    assert np.abs(pattern - exact).max() <= 0.51  # rounded; the inverse of 8-bit YCrCb is known to three digits


def test_its_size_is_the_published_one() -> None:
    exact = by_scipy(32, 32)
    assert np.abs(exact).max(axis=(1, 2)).tolist() == pytest.approx([4.5, 3.4, 5.7], abs=0.1)
    assert np.sqrt((exact**2).mean(axis=(1, 2))).tolist() == pytest.approx([1.9, 1.4, 2.4], abs=0.1)


@pytest.mark.parametrize("side", [32, 64])
def test_two_frequencies_grow_in_every_window(side: int, fit_context: FitContext, context_of: Contexts) -> None:
    x = np.random.default_rng(0).integers(20, 236, (8, 3, side, side), dtype=np.uint8)  # nothing is clipped
    ctx = context_of(torch.arange(8), fitted(FTrojan(), side, side, fit_context))
    got = FTrojan().poison(torch.from_numpy(x), ctx).numpy()
    for channel in chroma(got.astype(float) - x):
        for top in range(0, side, 32):
            for left in range(0, side, 32):
                spectrum = dctn(channel[:, top : top + 32, left : left + 32], axes=(1, 2), norm="ortho")
                assert np.abs(spectrum[:, [15, 31], [15, 31]] - 30).max() <= 3
                spectrum[:, [15, 31], [15, 31]] = 0
                assert np.abs(spectrum).max() < 6


def test_stays_close_to_the_image(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    got = FTrojan().poison(images, context_of(split.index, FTrojan().fit(split, fit_context)))
    error = (got.double() - images).pow(2).mean(dim=(1, 2, 3))
    assert (10 * torch.log10(255**2 / error)).min() > 38


def test_strength_0_keeps_the_image(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = FTrojan(strength=0)
    assert torch.equal(attack.poison(images, context_of(split.index, attack.fit(split, fit_context))), images)
