from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from mbti_core.contracts.defense import CleanSet, DefenseContext, DefenseView, LabelledSet
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws
from mbti_core.errors import ConfigError
from mbti_image.filters.deepsweep import DeepSweep, bent, median


def test_a_median_is_that_of_its_window(images: torch.Tensor) -> None:
    for x, width in ((images[:4].float(), 3), (torch.rand(1, 3, 224, 230), 5)):
        expected = ndimage.median_filter(x.numpy(), size=(1, 1, width, width), mode="nearest")
        assert np.array_equal(median(x).numpy(), expected)


def test_a_lens_bends_by_its_formula() -> None:
    index = torch.tensor([3, 11, 4])
    across = ((torch.arange(40) + 0.5) / 40 - 0.5).expand(3, 1, 24, 40)  # sides are 1 long
    down = ((torch.arange(24) + 0.5) / 24 - 0.5)[:, None].expand(3, 1, 24, 40)
    bend = 0.05 * (2 * Draws(5).stream("bend").uniform(index, (1, 1, 1)) - 1)
    assert bend.abs().min() > 1e-3
    square = across**2 + down**2
    factor = 1 + bend * square + bend * square**2
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    for ramp in (across, down):  # bilinear sampling of a ramp is exact
        found = bent(ramp.contiguous(), index, Draws(5))
        torch.testing.assert_close(found[inside], (ramp * factor)[inside], rtol=0, atol=1e-5)


def test_a_picture_is_shifted_scaled_and_turned_by_its_draws() -> None:
    sweep, index = DeepSweep(limit=0.1, degrees=30.0), torch.arange(12)
    y = torch.zeros(12, 3, 60, 80)
    y[:, :, 16:24, 46:54] = 1  # around (10, -10) from the middle, in pixels to the right and down
    found = sweep.moved(y, index, Draws(2))[:, 0].double()
    assert found.amax() == 255
    total = found.sum((1, 2))
    right, low = (found.sum(1) * torch.arange(80)).sum(1), (found.sum(2) * torch.arange(60)).sum(1)
    at = torch.stack([right / total - 39.5, low / total - 29.5])
    down, across, scale, turn = (2 * Draws(2).stream("move").uniform(index, (4,)).double() - 1).T
    angle, scale = turn * math.radians(30), 1 + 0.1 * scale
    x, z = 10 - 0.1 * 80 * across, -10 - 0.1 * 60 * down
    expected = scale * torch.stack([angle.cos() * x + angle.sin() * z, angle.cos() * z - angle.sin() * x])
    assert (at - expected).abs().max() < 0.3
    assert expected.std(1).min() > 2  # rows are moved apart


def test_what_is_smooth_stays_and_single_pixels_go() -> None:
    still = DeepSweep(limit=0, degrees=0)
    smooth = torch.linspace(40, 200, 32).expand(1, 3, 32, 32).round().to(torch.uint8)
    dotted = smooth.clone()
    dotted[:, :, 4::6, 4::6] = 255
    y = still.light(torch.cat([smooth, dotted]), torch.arange(2), Draws(0)).double()
    assert (y[0] - smooth[0])[..., 2:-2].abs().max() <= 3
    assert (y[1] - smooth[0])[..., 2:-2].abs().max() <= 6  # 255 less 56 before, at most


def test_the_heavy_policy_turns_a_flat_picture_into_the_tone_by_hand() -> None:
    still = DeepSweep(limit=0, degrees=0)
    for value in (30, 80, 200):
        x = torch.full((2, 3, 32, 32), value, dtype=torch.uint8)
        y = still.heavy(x, torch.arange(2), Draws(0)).double()
        assert (y - 255 * min(1.53 * (value / 255) ** 0.6, 1.0) ** 2.6).abs().max() <= 1


def test_rows_depend_on_their_ids_alone_and_half_are_changed_much(images: torch.Tensor) -> None:
    sweep, index, draws = DeepSweep(), 7 * torch.arange(50) + 1, Draws(9)
    together = sweep.mixed(images, index, draws)
    assert together.dtype == torch.uint8
    turned = torch.arange(49, -1, -1)
    assert torch.equal(sweep.mixed(images[turned], index[turned], draws), together[turned])
    for row in range(8):
        assert torch.equal(sweep.mixed(images[[row]], index[[row]], draws)[0], together[row])
    light = (together == sweep.light(images, index, draws)).flatten(1).all(1)
    heavy = (together == sweep.heavy(images, index, draws)).flatten(1).all(1)
    assert torch.equal(light, ~heavy)
    assert 12 <= int(heavy.sum()) <= 38
    assert not torch.equal(sweep.mixed(images, index, Draws(10)), together)


def test_pictures_of_a_pixel_pass() -> None:
    x = torch.full((2, 3, 1, 5), 9, dtype=torch.uint8)
    assert DeepSweep().mixed(x, torch.arange(2), Draws(0)).shape == x.shape


@pytest.mark.learn
def test_the_model_learns_the_pictures_that_the_filter_makes(digits) -> None:
    split, subject = digits
    rows = torch.arange(600)
    clean = LabelledSet(HeldTensor(split.take(rows)), split.truth[rows], rows)
    ctx = DefenseContext(subject.adapters, Draws(0), subject.device, subject.info)
    before = {k: v.clone() for k, v in subject.model.state_dict().items()}
    out = DeepSweep(epochs=20).defend(DefenseView(subject=subject, clean=CleanSet(clean, clean)), ctx)
    assert out.filter is not None
    assert out.model is not None
    assert all(torch.equal(v, before[k]) for k, v in subject.model.state_dict().items())
    rest = torch.arange(600, 1000)
    x = out.filter(split.take(rest))
    assert torch.equal(x, out.filter(split.take(rest)))
    models = (subject, subject.with_model(out.model))
    right = [float((s.logits(x).argmax(1) == split.truth[rest]).double().mean()) for s in models]
    assert right[1] > right[0] + 0.05


def test_no_clean_samples_is_an_error(digits) -> None:
    split, subject = digits
    none = LabelledSet(HeldTensor(split.take(torch.arange(0))), split.truth[:0], torch.arange(0))
    ctx = DefenseContext(subject.adapters, Draws(0), subject.device, subject.info)
    with pytest.raises(ConfigError, match="DeepSweep needs at least 1 clean sample to train on, got 0"):
        DeepSweep().defend(DefenseView(subject=subject, clean=CleanSet(none, none)), ctx)
