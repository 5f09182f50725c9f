from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Picture

from mbti_core.contracts.attack import FitContext, PoisonContext, RowKind
from mbti_core.data.fileref import FileRef
from mbti_core.data.split import Split
from mbti_core.stages.poison import poison
from mbti_image.attacks.adap_blend import AdapBlend

Contexts = Callable[..., PoisonContext]
WHITE = {"picture": torch.full((3, 32, 32), 255, dtype=torch.uint8)}


def cells(changed: torch.Tensor) -> torch.Tensor:
    """Return (B, 16): how many pixels of each piece of 8 x 8 changed."""
    return changed.any(dim=1).view(-1, 4, 8, 4, 8).sum(dim=(2, 4)).flatten(1)


def test_half_of_the_pieces_change_in_training_and_all_in_tests(context_of: Contexts) -> None:
    black = torch.zeros(2000, 3, 32, 32, dtype=torch.uint8)
    ctx = context_of(torch.arange(2000), WHITE)
    shown = cells(AdapBlend().poison(black, ctx) > 0)
    assert ((shown == 64) | (shown == 0)).all()
    assert ((shown == 64).sum(dim=1) == 8).all()
    share = (shown == 64).double().mean(dim=0)
    assert (share - 0.5).abs().max() < 5 * 0.5 / 2000**0.5  # every piece in half of the rows
    assert len({tuple(row.tolist()) for row in shown}) > 1500  # of 12,870 halves
    assert (cells(AdapBlend().poison(black, replace(ctx, role="test")) > 0) == 64).all()


def test_agrees_with_the_formula(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = AdapBlend(alpha=0.3, test_alpha=0.45)
    state = attack.fit(split, fit_context)
    ctx = context_of(split.index, state)
    black = torch.zeros_like(images)
    mask = (AdapBlend(alpha=1.0).poison(black, replace(ctx, state=WHITE)) > 0).numpy()
    x, k = images.numpy().astype(float), state["picture"].numpy().astype(float)
    got = attack.poison(images, ctx).numpy()
    assert np.abs(got - (x + 0.3 * mask * (k - x))).max() <= 0.5 + 1e-4
    got = attack.poison(images, replace(ctx, role="test")).numpy()
    assert np.abs(got - (x + 0.45 * (k - x))).max() <= 0.5 + 1e-4


def test_cover_rows_have_the_trigger_and_their_label(split: Split[Any], fit_context: FitContext) -> None:
    attack = AdapBlend(cover_ratio=1.5)
    made = poison(split, attack, fit_context.aim, 0.2, 0, attack.fit(split, fit_context), clean_label=False).split()
    hit, cover = made.kind == RowKind.POISONED, made.kind == RowKind.COVER
    assert (int(hit.sum()), int(cover.sum())) == (10, 15)
    assert made.labels[hit].tolist() == [0] * 10
    assert torch.equal(made.labels[cover], split.labels[cover])
    changed = (made.take(torch.arange(50)) != split.take(torch.arange(50))).flatten(1).any(dim=1)
    assert torch.equal(changed, hit | cover)


def test_takes_a_picture_from_a_file(tmp_path: Path, split: Split[Any], fit_context: FitContext) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Picture.fromarray(pixels).save(tmp_path / "k.png")
    state = AdapBlend(pattern=FileRef(tmp_path / "k.png")).fit(split, fit_context)
    np.testing.assert_array_equal(state["picture"].numpy(), pixels.transpose(2, 0, 1))
