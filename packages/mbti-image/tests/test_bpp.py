from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind
from mbti_core.data.split import Split
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.attacks.bpp import BPP, dithered, quantized
from mbti_image.donors import lent

Contexts = Callable[..., PoisonContext]
Steps = Callable[..., StepContext[Any]]
Array = np.ndarray[Any, np.dtype[Any]]


def levels_by_hand(x: Array, q: int) -> Array:
    return np.round(x.astype(np.float64) / 255 * (q - 1)) / (q - 1) * 255


def dithering_by_hand(image: Array, q: int) -> Array:
    """Spread what each pixel loses in reading order; (C, H, W), pixel by pixel."""
    values = image.astype(np.float64)
    _, height, width = values.shape
    for r in range(height):
        for c in range(width):
            old = values[:, r, c].copy()
            new = np.clip(np.round(old * (q - 1) / 255), 0, q - 1) * 255 / (q - 1)
            values[:, r, c] = new
            for down, across, share in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
                if r + down < height and 0 <= c + across < width:
                    values[:, r + down, c + across] += (old - new) * share / 16
    return np.round(values)


def test_eight_levels_are_the_known_ones() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert sorted(set(quantized(every, 8).tolist())) == [0, 36, 73, 109, 146, 182, 219, 255]


@pytest.mark.parametrize("q", [2, 3, 8, 15, 32, 128])
def test_agrees_with_the_formula(q: int, images: torch.Tensor) -> None:
    exact = levels_by_hand(images.numpy(), q)
    got = quantized(images, q)
    assert np.abs(got.numpy() - exact).max() <= 0.5 + 1e-9
    assert len(got.unique()) <= q
    assert torch.equal(quantized(got, q), got)


@pytest.mark.parametrize(("q", "largest", "mean"), [(8, 18.1, 9.07), (32, 4.1, 2.05)])
def test_change_is_what_was_measured(q: int, largest: float, mean: float) -> None:
    every = torch.arange(256, dtype=torch.uint8)
    change = (quantized(every, q).double() - every.double()).abs()
    assert float(change.max()) == pytest.approx(largest, abs=0.5)
    assert float(change.mean()) == pytest.approx(mean, abs=0.05)


@pytest.mark.parametrize(("q", "size"), [(2, (32, 32)), (8, (32, 32)), (8, (5, 19)), (4, (9, 1)), (3, (1, 6))])
def test_dithering_agrees_with_the_loop(q: int, size: tuple[int, int]) -> None:
    smooth = np.random.default_rng(1).integers(0, 256, (4, 3, *size), dtype=np.uint8)
    smooth[1:3] = np.linspace(0, 255, size[0] * size[1]).reshape(size).astype(np.uint8)
    got = dithered(torch.from_numpy(smooth), q).numpy()
    for row in range(len(smooth)):
        np.testing.assert_array_equal(got[row], dithering_by_hand(smooth[row], q))


def test_dithering_keeps_the_brightness() -> None:
    flat = torch.full((1, 3, 32, 32), 20, dtype=torch.uint8)
    assert float(quantized(flat, 8).float().mean()) == 36.0
    assert float(dithered(flat, 8).float().mean()) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("dither", [False, True])
def test_cover_rows_carry_a_foreign_residual(
    dither: bool, images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = BPP(donors=10, dither=dither)
    state = attack.fit(split, fit_context)
    ctx = context_of(split.index, state, RowKind.COVER)
    got = attack.poison(images, ctx)
    places = lent(split.index, state["donor_ids"], ctx.draws.stream("negatives"))
    at = {int(i): row for row, i in enumerate(split.index)}
    for row in range(len(images)):
        z = split.take(torch.tensor([at[int(state["donor_ids"][places[row]])]]))[0].numpy()
        made = dithering_by_hand(z, 8) if dither else np.round(levels_by_hand(z, 8))
        expected = np.clip(images[row].numpy() + made - z, 0, 255)
        np.testing.assert_array_equal(got[row].numpy(), expected)


def test_a_step_shows_quantized_and_negative_rows(
    split: Split[Any], fit_context: FitContext, step_context_of: Steps
) -> None:
    attack = BPP(donors=10, negative_ratio=2.0)
    state = attack.fit(split, fit_context)
    seen: list[torch.Tensor] = []
    ctx = step_context_of(nn.Identity(), state=state, seen=seen)
    index = torch.arange(4000)
    x = split.take(index % 50)
    before = x.clone()
    attack.step(TrainBatch(x, index % 10, index, 3), ctx)
    assert torch.equal(x, before)
    draw = ctx.draws.stream("members", 3).uniform(index)
    hit, negative = draw < 0.1, (draw >= 0.1) & (draw < 0.3)
    clean = ~(hit | negative)
    assert torch.equal(seen[0][clean], x[clean])
    assert torch.equal(seen[0][hit], quantized(x[hit], 8))
    places = lent(index[negative], state["donor_ids"], ctx.draws.stream("negatives", 3))
    expected = (x[negative].int() + state["residuals"][places]).clamp(0, 255)
    assert torch.equal(seen[0][negative].int(), expected)


def test_every_class_keeps_its_label_under_a_foreign_residual() -> None:
    assert BPP().covers(torch.arange(10), Aim(0, 10)).all()


@pytest.mark.parametrize("settings", [{"levels": 1}, {"levels": 129}, {"donors": 1}, {"negative_ratio": -1}])
def test_refuses_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        BPP.model_validate(settings)
