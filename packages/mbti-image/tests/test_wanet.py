from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, RowKind
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.training.step import StepContext, TrainBatch
from mbti_image.attacks.wanet import WaNet, jittered, warp

Contexts = Callable[..., PoisonContext]
Array = np.ndarray[Any, np.dtype[Any]]


def bicubic(coarse: Array, side: int) -> Array:
    """Enlarge (k, k) to (side, side) by Keys' kernel with a = -0.75, corners aligned, borders repeated."""
    k = len(coarse)

    def kernel(t: float) -> float:
        t, a = abs(t), -0.75
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    weights = np.zeros((side, k))
    for i in range(side):
        place = i * (k - 1) / (side - 1)
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            weights[i, min(max(tap, 0), k - 1)] += kernel(place - tap)
    return weights @ coarse @ weights.T


def grid_by_hand(draws: Draws, side: int, k: int, strength: float) -> Array:
    """Return (side, side, 2): the sampling places (x, y) in [-1, 1]."""
    p = (
        2 * draws.stream("field").uniform(torch.zeros(1, dtype=torch.int64), (2, k, k))[0].numpy().astype(np.float64)
        - 1
    )
    p = p / np.abs(p).mean()
    field = np.stack([bicubic(p[0], side), bicubic(p[1], side)], axis=-1)
    axis = np.linspace(-1, 1, side)
    identity = np.stack(np.broadcast_arrays(axis[None, :], axis[:, None]), axis=-1)
    return np.clip(identity + strength * field / side, -1, 1)


def sample_by_hand(x: Array, grid: Array) -> Array:
    """Sample (C, H, W) bilinearly at (H, W, 2)."""
    side = x.shape[-1]
    column, row = (grid[..., 0] + 1) / 2 * (side - 1), (grid[..., 1] + 1) / 2 * (side - 1)
    c0, r0 = np.floor(column).astype(int).clip(0, side - 2), np.floor(row).astype(int).clip(0, side - 2)
    u, v = column - c0, row - r0
    top = x[:, r0, c0] * (1 - u) + x[:, r0, c0 + 1] * u
    bottom = x[:, r0 + 1, c0] * (1 - u) + x[:, r0 + 1, c0 + 1] * u
    return top * (1 - v) + bottom * v


def agrees(got: torch.Tensor, exact: Array) -> None:
    """Rounded: no further away than half a level, but for the error of single precision."""
    assert got.dtype == torch.uint8
    assert np.abs(got.numpy() - exact).max() <= 0.5 + 0.01


@pytest.mark.parametrize(("k", "strength"), [(4, 0.5), (3, 1.5), (8, 0.25)])
def test_agrees_with_the_formula(
    k: int, strength: float, images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = WaNet(grid_size=k, strength=strength)
    state = attack.fit(split, fit_context)
    grid = grid_by_hand(fit_context.draws, 32, k, strength)
    np.testing.assert_allclose(state["grid"][0].numpy(), grid, atol=1e-6)
    got = attack.poison(images, context_of(split.index, state))
    for row in range(len(images)):
        agrees(got[row], sample_by_hand(images[row].numpy().astype(np.float64), grid))


def test_cover_rows_follow_the_formula(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    state = WaNet().fit(split, fit_context)
    ctx = context_of(split.index, state, RowKind.COVER)
    got = WaNet().poison(images, ctx)
    grid = grid_by_hand(fit_context.draws, 32, 4, 0.5)
    noise = 2 * ctx.draws.stream("jitter").uniform(split.index, (32, 32, 2)).numpy().astype(np.float64) - 1
    for row in range(len(images)):
        agrees(got[row], sample_by_hand(images[row].numpy().astype(np.float64), np.clip(grid + noise[row] / 32, -1, 1)))
    plain = WaNet().poison(images, context_of(split.index, state))
    assert all(not torch.equal(a, b) for a, b in zip(got, plain, strict=True))


def test_displacement_is_what_was_measured_for_the_original() -> None:
    means, largest = [], []
    identity = grid_by_hand(Draws(0), 32, 4, 0.0)
    for seed in range(200):
        moved = np.abs(grid_by_hand(Draws(seed), 32, 4, 0.5) - identity) * 31 / 2  # pixels
        means.append(moved.mean())
        largest.append(moved.max())
    assert np.mean(means) == pytest.approx(0.18, abs=0.01)
    assert np.mean(largest) == pytest.approx(0.52, abs=0.03)


def test_strength_scales_the_displacement(split: Split[Any], fit_context: FitContext) -> None:
    inner = slice(4, -4)
    none, half, whole = (WaNet(strength=s).fit(split, fit_context)["grid"][0, inner, inner] for s in (0.0, 0.5, 1.0))
    torch.testing.assert_close(whole - none, 2 * (half - none), atol=1e-6, rtol=0)


def test_strength_0_and_constant_images_stay(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    still = WaNet(strength=0.0)
    assert torch.equal(still.poison(images, context_of(split.index, still.fit(split, fit_context))), images)
    state = WaNet().fit(split, fit_context)
    flat = torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).mul(5).expand(50, 3, 32, 32).contiguous()
    for kind in (RowKind.POISONED, RowKind.COVER):
        assert torch.equal(WaNet().poison(flat, context_of(split.index, state, kind)), flat)


def test_works_on_pictures_that_are_not_square(
    split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    class Wide:
        def __len__(self) -> int:
            return 1

        def take(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(rows), 3, 16, 48, dtype=torch.uint8)

    wide = Split(Wide(), split.labels[:1], split.truth[:1], split.kind[:1], split.index[:1], split.modality)
    state = WaNet().fit(wide, fit_context)
    assert state["grid"].shape == (1, 16, 48, 2)
    x = torch.zeros(1, 3, 16, 48, dtype=torch.uint8)
    assert WaNet().poison(x, context_of(split.index[:1], state, RowKind.COVER)).shape == x.shape


def step_context(state: dict[str, torch.Tensor], seen: list[torch.Tensor], ratio: float = 0.1) -> StepContext[Any]:
    def augment(x: torch.Tensor, index: torch.Tensor, epoch: int) -> torch.Tensor:
        seen.append(x)
        return x

    def logits(x: torch.Tensor) -> torch.Tensor:
        return Draws(3).normal(torch.arange(len(x)), (10,))

    return StepContext(nn.Identity(), None, augment, logits, nullcontext, 0.0, Aim(0, 10), ratio, Draws(7), state)


def test_a_step_shows_triggered_and_jittered_rows(split: Split[Any], fit_context: FitContext) -> None:
    state = WaNet().fit(split, fit_context)
    index = torch.arange(4000)
    x = split.take(index % 50)
    before, y = x.clone(), index % 10
    seen: list[torch.Tensor] = []
    ctx = step_context(state, seen)
    loss = WaNet().step(TrainBatch(x, y, index, 3), ctx)
    assert torch.equal(x, before)
    draw = ctx.draws.stream("members", 3).uniform(index)
    hit, cross = draw < 0.1, (draw >= 0.1) & (draw < 0.1 * 3)
    assert int(hit.sum()) == pytest.approx(400, abs=80)  # 4 standard deviations
    assert int(cross.sum()) == pytest.approx(800, abs=105)
    clean = ~(hit | cross)
    assert torch.equal(seen[0][clean], x[clean])
    assert torch.equal(seen[0][hit], warp(x[hit], state["grid"]))
    places = jittered(state["grid"], index[cross], ctx.draws.stream("jitter", 3))
    assert torch.equal(seen[0][cross], warp(x[cross], places))
    labels = torch.where(hit, 0, y)
    torch.testing.assert_close(loss, functional.cross_entropy(Draws(3).normal(index, (10,)), labels))


def test_members_change_with_the_epoch_and_not_with_the_batch(split: Split[Any], fit_context: FitContext) -> None:
    state = WaNet().fit(split, fit_context)
    seen: list[torch.Tensor] = []
    ctx = step_context(state, seen)
    x = split.take(torch.arange(50))
    WaNet().step(TrainBatch(x, split.labels, split.index, 0), ctx)
    WaNet().step(TrainBatch(x, split.labels, split.index, 1), ctx)
    assert not torch.equal(seen[0], seen[1])
    for part in torch.arange(50).split(7):
        WaNet().step(TrainBatch(x[part], split.labels[part], split.index[part], 0), ctx)
    assert torch.equal(torch.cat(seen[2:]), seen[0])


def test_noise_mode_can_be_off(split: Split[Any], fit_context: FitContext) -> None:
    attack = WaNet(cross_ratio=0.0)
    chosen = attack.choose(split, 5, fit_context.draws, fit_context.aim)
    assert (len(chosen.poison), len(chosen.cover)) == (5, 0)
    state = attack.fit(split, fit_context)
    seen: list[torch.Tensor] = []
    ctx = step_context(state, seen, ratio=0.5)
    x = split.take(torch.arange(50))
    attack.step(TrainBatch(x, split.labels, split.index, 0), ctx)
    warped = warp(x, state["grid"])
    assert all(torch.equal(a, b) or torch.equal(a, c) for a, b, c in zip(seen[0], x, warped, strict=True))


def test_cover_takes_what_is_left(split: Split[Any], fit_context: FitContext) -> None:
    chosen = WaNet().choose(split, 30, fit_context.draws, fit_context.aim)
    assert (len(chosen.poison), len(chosen.cover)) == (30, 20)
