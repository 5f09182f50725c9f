from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mbti_core.contracts.attack import FitContext, PoisonContext, RowKind
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.split import Split, clean_kinds
from mbti_core.stages.poison import poison
from mbti_image.attacks.adap_patch import AdapPatch, patch_of
from mbti_image.modality import modality

Contexts = Callable[..., PoisonContext]
Array = np.ndarray[Any, np.dtype[Any]]
OPACITY = (0.5, 0.2, 0.5, 0.3)


def masks_by_hand() -> Array:
    """Return (4, 32, 32) of 0 and 1."""
    masks = np.zeros((4, 32, 32), dtype=int)
    masks[0, 27:32, 27:32] = 1
    for row in range(1, 14):
        for column in range(18, 31):
            masks[1, row, column] = (row - 7) ** 2 + (column - 24) ** 2 <= 6.5**2
    for row in (slice(0, 3), slice(29, 32)):
        for column in (slice(0, 3), slice(29, 32)):
            masks[2, row, column] = 1
    masks[3, 21:29, 21:29] = 1
    return masks


def test_masks_lie_at_the_published_places(split: Split[Any], fit_context: FitContext) -> None:
    masks = AdapPatch().fit(split, fit_context)["masks"].numpy()
    np.testing.assert_array_equal(masks[:, 0], masks_by_hand())
    assert masks.sum(axis=(1, 2, 3)).tolist() == [25, 137, 36, 64]  # the published disc has 140


def test_a_training_row_differs_in_its_own_patch_only(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    state = AdapPatch().fit(split, fit_context)
    got = AdapPatch().poison(images, context_of(split.index, state)).numpy()
    for row, patch in enumerate(patch_of(split.index).tolist()):
        weight = OPACITY[patch] * masks_by_hand()[patch]
        x, t = images[row].numpy().astype(float), state["patterns"][patch].numpy().astype(float)
        assert np.abs(got[row] - (x + weight * (t - x))).max() <= 0.5 + 1e-4
        assert (got[row] == images[row].numpy())[:, weight == 0].all()


def test_tests_show_two_patches_in_full(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    state = AdapPatch().fit(split, fit_context)
    ctx = replace(context_of(split.index, state), role="test")
    got = AdapPatch().poison(images, ctx).numpy()
    expected = images.numpy().copy()
    for patch in (0, 2):
        at = masks_by_hand()[patch] == 1
        expected[:, :, at] = state["patterns"][patch].numpy()[:, at]
    np.testing.assert_array_equal(got, expected)
    other = AdapPatch(tested=("disc", "square")).poison(images, ctx).numpy()
    changed = (other != images.numpy()).any(axis=(0, 1))
    np.testing.assert_array_equal(changed, masks_by_hand()[[1, 3]].any(axis=0))


@pytest.fixture
def many() -> Split[Any]:
    rows = torch.arange(4000)
    column = ArrayColumn(np.zeros((4000, 3, 32, 32), dtype=np.uint8))
    return Split(column, rows % 10, rows % 10, clean_kinds(4000), rows, modality())


@pytest.mark.parametrize("ratio", [0.003, 0.02, 0.1])
def test_each_patch_has_a_quarter_of_the_rows(ratio: float, many: Split[Any], fit_context: FitContext) -> None:
    state = AdapPatch().fit(many, fit_context)
    made = poison(many, AdapPatch(), fit_context.aim, ratio, 0, state, clean_label=False).split()
    wanted = round(ratio * 4000)
    for kind, count in ((RowKind.POISONED, wanted), (RowKind.COVER, 2 * wanted)):
        groups = torch.bincount(patch_of(made.index[made.kind == kind]), minlength=4)
        assert groups.sum() == count
        assert groups.max() - groups.min() <= 1
    cover = made.kind == RowKind.COVER
    assert torch.equal(made.labels[cover], many.labels[cover])


def test_takes_other_rows_where_a_patch_has_too_few(many: Split[Any], fit_context: FitContext) -> None:
    chosen = AdapPatch().choose(many, 3900, fit_context.draws, fit_context.aim)
    assert (len(chosen.poison), len(chosen.cover)) == (3900, 100)


def test_the_patch_of_a_row_says_nothing_of_its_class(many: Split[Any]) -> None:
    patch = patch_of(many.index)
    for c in range(10):
        groups = torch.bincount(patch[many.labels == c], minlength=4)
        assert (groups - 100).abs().max() < 5 * (400 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("side", [8, 16, 24, 33, 64])
def test_patches_scale_with_the_picture(side: int, fit_context: FitContext) -> None:
    array, rows = np.zeros((2, 3, side, side), dtype=np.uint8), torch.arange(2)
    split = Split(ArrayColumn(array), rows, rows, clean_kinds(2), rows, modality())
    masks = AdapPatch().fit(split, fit_context)["masks"]
    assert (masks.sum(dim=(1, 2, 3)) > 0).all()
    assert masks[0, 0, -1, -1] == 1
    assert masks[2, 0, [0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [1] * 4
    if side == 64:
        np.testing.assert_array_equal(masks[[0, 2, 3], 0, ::2, ::2].numpy(), masks_by_hand()[[0, 2, 3]])


def test_some_patch_is_tested() -> None:
    with pytest.raises(ValidationError):
        AdapPatch(tested=())
