from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_image.attacks.dynatrigger import DynaTrigger

Contexts = Callable[..., PoisonContext]
GRAY = 100


@pytest.fixture
def ctx(split: Split[Any], fit_context: FitContext, context_of: Contexts) -> PoisonContext:
    index = torch.arange(500)
    return replace(context_of(index, DynaTrigger().fit(split, fit_context)), goal=index % 10)


def boxes(got: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Return (B, 4): first row, first column, height and width of the box that holds all changes."""
    changed = (got != before).any(dim=1)
    found = []
    for row in changed:
        down, across = torch.nonzero(row.any(dim=1)).flatten(), torch.nonzero(row.any(dim=0)).flatten()
        found.append([int(down[0]), int(across[0]), int(down[-1] - down[0]) + 1, int(across[-1] - across[0]) + 1])
    return torch.tensor(found)


def squares(got: torch.Tensor, found: torch.Tensor) -> list[torch.Tensor]:
    return [x[:, r : r + 4, c : c + 4] for x, (r, c, _, _) in zip(got, found.tolist(), strict=True)]


def test_one_square_changes_in_the_cell_of_the_wanted_label(ctx: PoisonContext) -> None:
    x = torch.full((500, 3, 32, 32), GRAY, dtype=torch.uint8)
    found = boxes(DynaTrigger().poison(x, ctx), x)
    assert (found[:, 2:] == 4).all()  # four rows and four columns: an outer line of 12 values never stays by chance
    cell = ctx.goal // 4 * 8, ctx.goal % 4 * 8  # ten classes: a grid of 4 x 4, cells of 8 x 8
    for axis in (0, 1):
        offset = found[:, axis] - cell[axis]
        assert offset.unique().tolist() == [0, 1, 2, 3, 4]


def test_every_class_has_a_cell_of_its_own(split: Split[Any], fit_context: FitContext) -> None:
    for classes in (2, 4, 5, 8, 10, 43, 64):
        state = DynaTrigger().fit(split, replace(fit_context, aim=Aim(0, classes)))
        used = torch.zeros(32, 32, dtype=torch.int64)
        down, across = (state["room"] + 3).tolist()
        for row, column in state["corners"].tolist():
            used[row : row + down, column : column + across] += 1
        assert used.max() == 1
        assert used.sum() == classes * down * across


def test_patterns_are_uniform_and_differ(ctx: PoisonContext) -> None:
    x = torch.full((500, 3, 32, 32), GRAY, dtype=torch.uint8)
    got = DynaTrigger().poison(x, ctx)
    patterns = torch.stack(squares(got, boxes(got, x))).float()
    assert patterns.mean() == pytest.approx(127.5, abs=5 * 73.9 / 24000**0.5)
    assert patterns.std() == pytest.approx(73.9, abs=2)  # uniform on 0 to 255
    assert len({tuple(p.flatten().tolist()) for p in patterns}) == 500


def test_a_row_gets_others_in_tests_and_with_another_seed(ctx: PoisonContext) -> None:
    x = torch.full((500, 3, 32, 32), GRAY, dtype=torch.uint8)
    train = DynaTrigger().poison(x, ctx)
    for other in (replace(ctx, role="test"), replace(ctx, draws=Draws(8))):
        got = DynaTrigger().poison(x, other)
        assert (got != train).flatten(1).any(dim=1).all()
        assert not torch.equal(boxes(got, x), boxes(train, x))


def test_a_square_larger_than_a_cell_is_an_error(split: Split[Any], fit_context: FitContext) -> None:
    with pytest.raises(ConfigError, match=r"8 x 8 pixels of a picture of 32 x 32; .* got 9 x 9") as caught:
        DynaTrigger(size=9).fit(split, fit_context)
    assert "to 8 or less" in caught.value.hint
    with pytest.raises(ConfigError, match="0 x 0") as caught:
        DynaTrigger().fit(split, replace(fit_context, aim=Aim(0, 2000)))
    assert "fewer classes" in caught.value.hint
