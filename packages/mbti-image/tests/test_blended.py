from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mbti_core.contracts.attack import FitContext, PoisonContext
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.attacks.blended import Blended
from mbti_image.patterns import draw_picture

Contexts = Callable[..., PoisonContext]


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.2, 0.37, 1.0])
def test_agrees_with_the_formula(
    alpha: float, images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    attack = Blended(alpha=alpha)
    state = attack.fit(split, fit_context)
    x, k = images.numpy().astype(np.float64), state["pattern"].numpy().astype(np.float64)
    exact = (1 - alpha) * x + alpha * k
    got = attack.poison(images, context_of(split.index, state)).numpy()
    assert np.abs(got - exact).max() <= 0.5 + 1e-4  # rounded: nothing is further away than half a level
    assert np.abs(got.astype(int) - images.numpy()).max() <= np.ceil(alpha * 255)


def test_alpha_0_keeps_the_image_and_alpha_1_gives_the_picture(
    images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts
) -> None:
    state = Blended().fit(split, fit_context)
    ctx = context_of(split.index, state)
    assert torch.equal(Blended(alpha=0.0).poison(images, ctx), images)
    assert torch.equal(Blended(alpha=1.0).poison(images, ctx), state["pattern"].expand_as(images))


def test_the_drawn_picture_is_smooth_and_of_high_contrast() -> None:
    for seed in range(20):
        picture = draw_picture(Draws(seed), 32, 32).float()
        assert picture.shape == (3, 32, 32)
        assert picture.std() > 50
        assert (picture.min() < 40) & (picture.max() > 215)
        steps = torch.cat([picture.diff(dim=1).abs().flatten(), picture.diff(dim=2).abs().flatten()])
        assert steps.mean() < 30  # independent pixels of this contrast differ by about 80
    assert not torch.equal(draw_picture(Draws(0), 32, 32), draw_picture(Draws(1), 32, 32))


def test_takes_a_picture_from_a_file(tmp_path: Path, split: Split[Any], fit_context: FitContext) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Picture.fromarray(pixels).save(tmp_path / "k.png")
    state = Blended(pattern=FileRef(tmp_path / "k.png")).fit(split, fit_context)
    np.testing.assert_array_equal(state["pattern"].numpy(), pixels.transpose(2, 0, 1))
    Picture.new("L", (314, 380), 77).save(tmp_path / "gray.jpg")
    state = Blended(pattern=FileRef(tmp_path / "gray.jpg")).fit(split, fit_context)
    assert state["pattern"].shape == (3, 32, 32)
    assert (state["pattern"].int() - 77).abs().max() <= 1


def test_says_what_is_wrong_with_a_picture(tmp_path: Path, split: Split[Any], fit_context: FitContext) -> None:
    with pytest.raises(DataUnavailableError, match=r"no file .*nowhere\.png"):
        Blended(pattern=FileRef(tmp_path / "nowhere.png")).fit(split, fit_context)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataFormatError, match=r"text\.png: expected a picture"):
        Blended(pattern=FileRef(tmp_path / "text.png")).fit(split, fit_context)
    whole = tmp_path / "whole.png"
    Picture.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:4000])
    with pytest.raises(DataFormatError, match=r"half\.png: expected a picture"):
        Blended(pattern=FileRef(tmp_path / "half.png")).fit(split, fit_context)
