from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mbti_core.data.rng import Draws
from mbti_core.plugins.manager import Registry
from mbti_image import adapters

FACTS = {"mirror": True}


def test_superimpose_adds_what_differs_from_a_picture_s_mean_and_clips_nothing(images: torch.Tensor) -> None:
    other = images.flip(0)
    before = images.clone()
    for weight in (None, 0.0, 0.5, 1.0, 1.7):
        light = other.numpy().astype(float)
        light -= light.mean(axis=(2, 3), keepdims=True)
        exact = (images.numpy() + (1.0 if weight is None else weight) * light) / 255
        np.testing.assert_allclose(adapters.superimpose(images, other, weight).numpy(), exact, atol=1e-6)
    assert adapters.superimpose(images, other, None).max() > 1
    assert torch.equal(adapters.superimpose(images, other, 0.0), images / 255)
    assert torch.equal(images, before)


def test_a_trigger_keeps_its_contrast_under_any_picture(images: torch.Tensor) -> None:
    triggered = images.clone()
    triggered[:, :, -3:, -3:] = torch.tensor([[255, 0, 255], [0, 255, 0], [255, 0, 255]], dtype=torch.uint8)
    plain = torch.zeros_like(images)
    for other in (images.flip(0), torch.full_like(images, 255)):
        apart = adapters.superimpose(triggered, other, None) - adapters.superimpose(plain, other, None)
        assert torch.allclose(apart[:, :, -3:, -3:], triggered[:, :, -3:, -3:] / 255, atol=1e-6)


def test_amplify_scales_and_clips(images: torch.Tensor) -> None:
    assert torch.equal(adapters.scaled(images, 1.0), images)
    np.testing.assert_array_equal(adapters.scaled(images, 3.0).numpy(), np.minimum(images.numpy().astype(int) * 3, 255))


def test_occlusion_hides_each_patch_once(images: torch.Tensor) -> None:
    covered = torch.zeros(32, 32, dtype=torch.int64)
    for (top, left, bottom, right), hidden in adapters.occlude(images):
        covered[top:bottom, left:right] += 1
        patch = hidden[:, :, top:bottom, left:right]
        mean = images.float().mean((2, 3), keepdim=True)
        assert ((patch - mean).abs() <= 0.5 + 1e-3).all()
        back = hidden.clone()
        back[:, :, top:bottom, left:right] = images[:, :, top:bottom, left:right]
        assert torch.equal(back, images)
    assert (covered == 1).all()


def crop_by_hand(x: np.ndarray, down: int, across: int, mirrored: bool) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (4, 4), (4, 4)))
    crop = padded[:, down : down + 32, across : across + 32]
    return crop[:, :, ::-1] if mirrored else crop


def test_augmentation_is_a_crop_and_a_mirror(images: torch.Tensor) -> None:
    draws, index = Draws(9), torch.arange(50) * 5
    got = adapters.augment(images, index, 1.0, draws, FACTS)
    offsets = draws.stream("crop").integers(index, 9, (2,)).tolist()
    mirrored = (draws.stream("mirror").uniform(index) < 0.5).tolist()
    for row in range(50):
        np.testing.assert_array_equal(got[row].numpy(), crop_by_hand(images[row].numpy(), *offsets[row], mirrored[row]))
    assert 10 < sum(mirrored) < 40
    assert {v for pair in offsets for v in pair} == set(range(9))


def test_mirrors_only_where_the_data_allows_it(images: torch.Tensor) -> None:
    draws, index = Draws(9), torch.arange(50)
    offsets = draws.stream("crop").integers(index, 9, (2,)).tolist()
    got = adapters.augment(images, index, 1.0, draws, {})
    for row in range(50):
        np.testing.assert_array_equal(
            got[row].numpy(), crop_by_hand(images[row].numpy(), *offsets[row], mirrored=False)
        )


def test_augmentation_is_keyed_by_row(images: torch.Tensor) -> None:
    draws, index, before = Draws(9), torch.arange(50), images.clone()
    whole = adapters.augment(images, index, 1.0, draws, FACTS)
    assert torch.equal(images, before)
    for size in (1, 7):
        parts = [
            adapters.augment(x, i, 1.0, draws, FACTS)
            for x, i in zip(images.split(size), index.split(size), strict=True)
        ]
        assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(adapters.augment(images, index, 1.0, Draws(10), FACTS), whole)


@pytest.mark.parametrize(("side", "shown"), [(16, 96), (32, 96), (120, 120)])
def test_renders_what_is_there(side: int, shown: int) -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, side, side), dtype=np.uint8))
    pages = Registry().adapters.render(x, "image")
    assert len(pages) == 2
    for row, page in zip(x, pages, strict=True):
        data = page.html.split("base64,")[1].split('"')[0]
        picture = np.array(Picture.open(io.BytesIO(base64.b64decode(data))))
        assert picture.shape == (shown, shown, 3)
        step = shown // side
        np.testing.assert_array_equal(picture[::step, ::step].transpose(2, 0, 1), row.numpy())


def test_a_difference_is_gray_where_nothing_changed(images: torch.Tensor) -> None:
    y = images.clone()
    y[:, :, :4] = (y[:, :, :4].int() + 3).clamp(max=255).to(torch.uint8)
    got = Registry().adapters.difference(images, y, "image", 10)
    exact = np.clip(128 + 10 * (y.numpy().astype(int) - images.numpy().astype(int)), 0, 255)
    np.testing.assert_array_equal(got.numpy(), exact)
    assert set(got[:, :, 4:].flatten().tolist()) == {128}


@pytest.mark.parametrize(("side", "step"), [(32, 3), (100, 1)])
def test_batches_are_drawn_as_rows(side: int, step: int) -> None:
    rng = np.random.default_rng(0)
    rows = [torch.from_numpy(rng.integers(0, 255, (4, 3, side, side), dtype=np.uint8)) for _ in range(3)]
    drawn = np.array(Picture.open(io.BytesIO(Registry().adapters.picture(rows, "image"))))[::step, ::step]
    assert drawn.shape == (3 * side + 2, 4 * side + 3, 3)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * (side + 1), j * (side + 1)
            np.testing.assert_array_equal(drawn[top : top + side, left : left + side].transpose(2, 0, 1), picture)
    assert (drawn[side] == 255).all()


def test_the_hooks_lead_here(images: torch.Tensor) -> None:
    front, draws, index = Registry().adapters, Draws(0), torch.arange(50)
    assert torch.equal(front.superimpose(images, images, index, "image", 0.0, draws), images / 255)
    assert torch.equal(front.amplify(images, "image", 1.0), images)
    assert len(list(front.occlude(images, "image", draws))) == 64
    assert front.augment(images, index, "image", 1.0, draws, FACTS).shape == images.shape


def test_png_files_hold_the_same_pixels() -> None:
    x = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for row, file in zip(x, adapters.png_files(x), strict=True):
        found = np.asarray(Picture.open(io.BytesIO(file)))
        assert np.array_equal(found, row.permute(1, 2, 0).numpy())
