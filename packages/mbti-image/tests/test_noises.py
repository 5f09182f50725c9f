from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from PIL import ImageEnhance
from scipy import ndimage, stats

from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws
from mbti_image.noise.blur import Blur
from mbti_image.noise.brightness import Brightness
from mbti_image.noise.contrast import Contrast
from mbti_image.noise.jpeg import Jpeg
from mbti_image.noise.salt_pepper import SaltPepper

ALL = [SaltPepper(), Jpeg(), Blur(), Brightness(), Contrast()]
NONE = [SaltPepper(amount=0), Jpeg(compression=0), Blur(sigma=0), Brightness(strength=0), Contrast(strength=0)]


def context(index: torch.Tensor) -> NoiseContext:
    return NoiseContext(index, index % 10, 10, Draws(5))


@pytest.fixture
def smooth(images: torch.Tensor) -> torch.Tensor:
    """Pictures with structure, in color."""
    blurred = ndimage.gaussian_filter(images.numpy().astype(float), (0, 0, 2, 2))
    low, high = blurred.min((2, 3), keepdims=True), blurred.max((2, 3), keepdims=True)
    return torch.from_numpy((255 * (blurred - low) / (high - low)).round().astype(np.uint8))


def picture(row: torch.Tensor) -> Any:
    return Picture.fromarray(row.permute(1, 2, 0).contiguous().numpy())


def pixels(shown: Any) -> np.ndarray[Any, Any]:
    return np.asarray(shown).transpose(2, 0, 1).astype(int)


@pytest.mark.parametrize("noise", NONE, ids=lambda n: type(n).__name__)
def test_strength_zero_is_the_identity(noise: Any, images: torch.Tensor) -> None:
    assert torch.equal(noise.apply(images, context(torch.arange(50))), images)


@pytest.mark.parametrize("noise", ALL, ids=lambda n: type(n).__name__)
def test_batch_sizes_agree_and_the_input_stays(noise: Any, images: torch.Tensor) -> None:
    before, index = images.clone(), torch.arange(50) * 11
    whole = noise.apply(images, context(index))
    assert (whole.dtype, whole.shape) == (torch.uint8, images.shape)
    assert torch.equal(images, before)
    for size in (1, 7):
        parts = [noise.apply(x, context(i)) for x, i in zip(images.split(size), index.split(size), strict=True)]
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize(("amount", "salt"), [(0.1, 0.5), (0.03, 0.8), (1.0, 0.0)])
def test_salt_and_pepper_fall_in_their_shares(amount: float, salt: float) -> None:
    gray = torch.full((50, 3, 32, 32), 128, dtype=torch.uint8)
    noisy = SaltPepper(amount=amount, salt=salt).apply(gray, context(torch.arange(50)))
    assert torch.equal(noisy.amax(1), noisy.amin(1))  # whole pixels
    n, white, black = 50 * 32 * 32, int((noisy[:, 0] == 255).sum()), int((noisy[:, 0] == 0).sum())
    assert int((noisy[:, 0] == 128).sum()) == n - white - black
    for found, share in ((white + black, amount), (white, amount * salt)):
        assert share in (0, 1) or stats.binomtest(found, n, share).pvalue > 0.001
        assert found == pytest.approx(share * n, rel=0.05)


@pytest.mark.parametrize("compression", [10, 75, 93])
def test_jpeg_is_that_of_pillow(compression: int, smooth: torch.Tensor) -> None:
    ours = Jpeg(compression=compression).apply(smooth[:8], context(torch.arange(8)))
    for row, found in zip(smooth, ours, strict=False):
        buffer = io.BytesIO()
        picture(row).save(buffer, "JPEG", quality=100 - compression)
        assert np.abs(pixels(Picture.open(buffer)) - found.numpy()).max() <= 1


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.5, 20.0])
def test_blur_is_that_of_scipy(sigma: float, images: torch.Tensor) -> None:
    found = Blur(sigma=sigma).apply(images[:5], context(torch.arange(5))).numpy()
    exact = ndimage.gaussian_filter(images[:5].numpy().astype(np.float64), (0, 0, sigma, sigma), mode="nearest")
    assert np.abs(found - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("noise", "enhancer"), [(Brightness(), ImageEnhance.Brightness), (Contrast(), ImageEnhance.Contrast)]
)
def test_light_and_contrast_are_those_of_pillow(noise: Any, enhancer: Any, smooth: torch.Tensor) -> None:
    ctx = context(torch.arange(50))
    factors = 1 + 0.5 * (2 * ctx.draws.stream(type(noise).__name__.lower()).uniform(ctx.index, (1,)).numpy() - 1)
    found = noise.apply(smooth, ctx)
    for row, noisy, factor in zip(smooth, found, factors[:, 0], strict=True):
        exact = pixels(enhancer(picture(row)).enhance(float(factor)))
        assert np.abs(exact - noisy.numpy()).max() <= 2  # Pillow truncates, and rounds the mean gray


@pytest.mark.parametrize("noise", [Brightness(strength=0.8), Contrast(strength=0.8)])
def test_each_picture_has_a_factor_of_its_own(noise: Any) -> None:
    ramp = torch.arange(32, dtype=torch.uint8).add(100).expand(400, 3, 32, 32)
    noisy = noise.apply(ramp, context(torch.arange(400))).float()
    factors = (noisy.std((1, 2, 3)) / ramp.float().std((1, 2, 3))).numpy()
    assert stats.kstest(factors, stats.uniform(0.2, 1.6).cdf).pvalue > 0.01
