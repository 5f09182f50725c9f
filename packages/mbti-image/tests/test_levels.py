from __future__ import annotations

import numpy as np
import pytest
import torch

from mbti_image.levels import laid_over, shifted


def test_shifts_every_level_by_every_amount_without_wrapping() -> None:
    level, by = np.arange(256, dtype=np.uint8), np.arange(-255, 256, dtype=np.int16)
    x = torch.from_numpy(np.broadcast_to(level[:, None, None, None], (256, 3, 1, 511)).copy())
    got = shifted(x, torch.from_numpy(by)).numpy()
    expected = np.clip(level[:, None, None, None].astype(int) + by.astype(int), 0, 255)
    np.testing.assert_array_equal(got, np.broadcast_to(expected, got.shape))
    assert x[7, 0, 0, 0] == 7  # the input stays


@pytest.mark.parametrize("weight", [0.0, 0.15, 0.5, 1.0])
def test_lays_every_level_over_every_other(weight: float) -> None:
    below, above = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    x, picture = torch.from_numpy(below)[None, None], torch.from_numpy(above)
    exact = below + weight * (above.astype(np.float64) - below)
    got = laid_over(x, picture, weight)[0, 0].numpy()
    assert np.abs(got - exact).max() <= 0.5 + 1e-4
    mask = torch.full((1, 1, 256, 1), weight)
    assert torch.equal(laid_over(x, picture, mask), laid_over(x, picture, weight))
