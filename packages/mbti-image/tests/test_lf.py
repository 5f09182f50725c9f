from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import registry
from mbti_core.training.subject import Subject
from mbti_image.attacks.lf import LowFrequency, gaussian, smooth
from mbti_image.modality import modality
from mbti_image.models.cnn import cnn

Contexts = Callable[..., PoisonContext]
Digits = tuple[Split[torch.Tensor], Subject]


@pytest.fixture
def surrogate_context(fit_context: FitContext) -> FitContext:
    """A model that nobody trained: enough for what holds of any pattern."""
    info = ModelInfo("image/cnn", "image", InputSpec((3, 32, 32), "uint8", 0, 255), 10)
    subject = Subject(cnn(info, width=4).eval(), info, modality(), registry().adapters, torch.device("cpu"))
    return replace(fit_context, surrogate=subject)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40)])
def test_filters_like_scipy(height: int, width: int) -> None:
    raw = np.random.default_rng(0).normal(size=(3, height, width))
    sigma = (0.18 * height, 0.18 * width)
    exact = np.stack([gaussian_filter(channel, sigma, mode="constant", truncate=8) for channel in raw])
    exact = (exact - exact.min()) / (exact.max() - exact.min())
    filters = [gaussian(side, s) for side, s in zip((height, width), sigma, strict=True)]
    np.testing.assert_allclose(smooth(torch.from_numpy(raw).float(), filters).numpy(), exact, atol=1e-4)


@pytest.mark.parametrize("strength", [51, 20])
def test_the_pattern_is_smooth_and_fills_its_range(
    strength: int, split: Split[Any], surrogate_context: FitContext
) -> None:
    pattern = LowFrequency(strength=strength, steps=5).fit(split, surrogate_context)["pattern"]
    assert pattern.dtype == torch.uint8
    assert (int(pattern.min()), int(pattern.max())) == (0, strength)
    energy = dctn(pattern.numpy().astype(np.float64), axes=(1, 2), norm="ortho") ** 2
    energy[:, 0, 0] = 0
    assert energy[:, :8, :8].sum() > 0.95 * energy.sum()


def test_adds_the_pattern(
    images: torch.Tensor, split: Split[Any], surrogate_context: FitContext, context_of: Contexts
) -> None:
    attack = LowFrequency(steps=2)
    state = attack.fit(split, surrogate_context)
    exact = np.clip(images.numpy().astype(int) + state["pattern"].numpy().astype(int), 0, 255)
    for role in ("train", "test"):
        got = attack.poison(images, replace(context_of(split.index, state), role=role)).numpy()
        np.testing.assert_array_equal(got, exact)
    assert (got >= images.numpy()).all()


@pytest.mark.learn
def test_leads_a_trained_model_to_the_target(digits: Digits, context_of: Contexts) -> None:
    split, twin = digits
    before, ctx = copy.deepcopy(twin.model.state_dict()), FitContext(Aim(1, 10), Draws(7), torch.device("cpu"), twin)
    rows = torch.nonzero(split.labels != 1).flatten()[:300]
    share = []
    for steps in (1, 50):
        attack = LowFrequency(strength=160, steps=steps)  # strokes of 255 hide a fainter one
        made = attack.poison(split.take(rows), context_of(rows, attack.fit(split, ctx)))
        share.append(float((twin.logits(made).argmax(1) == 1).double().mean()))
    assert share[1] > share[0] + 0.2
    assert all(torch.equal(t, before[name]) for name, t in twin.model.state_dict().items())
    assert all(p.grad is None for p in twin.model.parameters())


def test_refuses_several_targets(split: Split[Any], surrogate_context: FitContext) -> None:
    with pytest.raises(ConfigError, match=r"attack\.target.*one class"):
        LowFrequency().fit(split, replace(surrogate_context, aim=Aim((1, 2), 10)))
