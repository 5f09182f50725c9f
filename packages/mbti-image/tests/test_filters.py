from __future__ import annotations

import torch

from mbti_core.data.rng import Draws
from mbti_image.filters.lowpass import LowPass
from mbti_image.filters.shrinkpad import ShrinkPad


def test_a_shrunk_picture_lies_whole_at_each_possible_place() -> None:
    x = torch.full((400, 3, 32, 32), 200, dtype=torch.uint8)
    x[:, 1] = 90
    y = ShrinkPad().purify(x, Draws(0))
    assert y.shape == x.shape
    assert y.dtype == torch.uint8
    inside = (y[:, 0] > 0).long()
    assert torch.equal(inside.sum((1, 2)), torch.full((400,), 28 * 28))
    first = torch.stack([inside.amax(2).argmax(1), inside.amax(1).argmax(1)], 1)
    assert len({tuple(place) for place in first.tolist()}) == 25
    for row, (top, left) in enumerate(first[:20].tolist()):
        part = y[row, :, top : top + 28, left : left + 28]
        assert (part[0] == 200).all()
        assert (part[1] == 90).all()
    assert torch.equal(y, ShrinkPad().purify(x, Draws(0)))
    assert not torch.equal(y, ShrinkPad().purify(x, Draws(1)))


def test_a_shrunk_ramp_is_still_a_ramp() -> None:
    x = torch.arange(32).mul(8).to(torch.uint8).expand(1, 3, 32, 32)
    row = ShrinkPad(share=0.25).purify(x, Draws(0))[0, 0]
    line = row[int(row.amax(1).argmax())].double()
    line = line[: int(line.argmax()) + 1][-24:]
    assert (line.diff()[1:-1] - 8 * 32 / 24).abs().max() <= 1.5


def test_of_other_sides_a_share_goes_and_a_pixel_stays() -> None:
    for share, shape, left in ((0.125, (64, 40), (56, 35)), (0.99, (8, 1), (1, 1))):
        y = ShrinkPad(share=share).purify(torch.full((5, 3, *shape), 9, dtype=torch.uint8), Draws(0))
        assert y.shape == (5, 3, *shape)
        assert torch.equal((y[:, 0] > 0).sum((1, 2)), torch.full((5,), left[0] * left[1]))


def test_single_pixels_go_and_what_is_smooth_stays() -> None:
    smooth = torch.linspace(40, 200, 32).expand(1, 3, 32, 32).round().to(torch.uint8)
    checked = smooth.clone().float()
    checked += 40 * ((torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2 - 1)
    y = LowPass().purify(torch.cat([smooth, checked.to(torch.uint8)]), Draws(0)).double()
    assert (y[0] - smooth[0])[..., 2:-2].abs().max() <= 2
    assert (y[1] - smooth[0])[..., 2:-2].abs().max() <= 3  # 40 before
    assert LowPass(factor=64).purify(smooth, Draws(0)).shape == smooth.shape
