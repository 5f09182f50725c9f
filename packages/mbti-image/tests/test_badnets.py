from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from pydantic import ValidationError

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.data.fileref import Digests, FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.engine.keys import keyed
from mbti_core.errors import ConfigError, DataUnavailableError
from mbti_core.stages.poison import trigger_test
from mbti_image.attacks.badnets import BadNets

Contexts = Callable[..., PoisonContext]
Poison = Callable[[BadNets], torch.Tensor]
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture
def poisoned(images: torch.Tensor, split: Split[Any], fit_context: FitContext, context_of: Contexts) -> Poison:
    return lambda attack: attack.poison(images, context_of(split.index, attack.fit(split, fit_context)))


def by_hand(x: torch.Tensor, trigger: Array, row: int, column: int) -> Array:
    """Return x (1 - m) + t m for a trigger (h, w) at a place."""
    mask, full = np.zeros((32, 32), dtype=np.int64), np.zeros((32, 32), dtype=np.int64)
    for i in range(len(trigger)):
        for j in range(len(trigger[0])):
            mask[row + i, column + j], full[row + i, column + j] = 1, trigger[i, j]
    expected: Array = x.numpy() * (1 - mask) + full * mask
    return expected


def test_agrees_with_the_formula(images: torch.Tensor, poisoned: Poison) -> None:
    got = poisoned(BadNets())
    np.testing.assert_array_equal(got.numpy(), by_hand(images, np.full((3, 3), 255), 29, 29))
    assert int((got != images).sum(dim=(1, 2, 3)).max()) <= 27


@pytest.mark.parametrize(
    ("place", "margin", "row", "column"),
    [
        ("upper_left", 0, 0, 0),
        ("upper_right", 0, 0, 30),
        ("lower_left", 1, 29, 1),
        ("lower_right", 4, 26, 26),
        ((7, 11), 0, 7, 11),
        ((30, 30), 5, 30, 30),
    ],
)
def test_stamps_where_it_is_told(
    place: Any, margin: int, row: int, column: int, images: torch.Tensor, poisoned: Poison
) -> None:
    board = np.array([[255, 0], [0, 255]])
    got = poisoned(BadNets(pattern="checkerboard", size=2, place=place, margin=margin))
    np.testing.assert_array_equal(got.numpy(), by_hand(images, board, row, column))


def test_is_idempotent(poisoned: Poison, split: Split[Any], fit_context: FitContext, context_of: Contexts) -> None:
    attack = BadNets(size=4, value=200)
    once = poisoned(attack)
    assert torch.equal(attack.poison(once, context_of(split.index, attack.fit(split, fit_context))), once)


def test_takes_a_picture_with_its_opacity(tmp_path: Path, images: torch.Tensor, poisoned: Poison) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    pixels[0, 0, 3], pixels[1, 1, 3] = 0, 255
    Picture.fromarray(pixels).save(tmp_path / "patch.png")
    got = poisoned(BadNets(pattern=FileRef(tmp_path / "patch.png"))).numpy()
    color, opacity = pixels[..., :3].transpose(2, 0, 1).astype(float), pixels[..., 3] / 255
    area = images.numpy()[..., 26:, 27:].astype(float)
    assert np.abs(got[..., 26:, 27:] - ((1 - opacity) * area + opacity * color)).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(got[..., :26, :], images.numpy()[..., :26, :])
    np.testing.assert_array_equal(got[..., 26, 27], images.numpy()[..., 26, 27])  # where it is transparent


def test_the_content_of_a_pattern_file_is_in_the_key(tmp_path: Path) -> None:
    Picture.new("RGB", (3, 3), "red").save(tmp_path / "red.png")
    attack = BadNets.model_validate({"pattern": str(tmp_path / "red.png")})
    assert keyed(attack, Digests())["pattern"].startswith("sha256:")
    assert attack.model_dump(mode="json")["pattern"] == str(tmp_path / "red.png")
    assert keyed(BadNets(), Digests())["pattern"] == "square"
    with pytest.raises(DataUnavailableError, match=r"nowhere\.png"):  # before anything runs
        keyed(BadNets.model_validate({"pattern": str(tmp_path / "nowhere.png")}), Digests())


def changed_at(got: torch.Tensor, x: torch.Tensor) -> tuple[int, int]:
    """Return the upper left pixel of the box that holds all changes of one row."""
    rows, columns = torch.nonzero((got != x).any(dim=0), as_tuple=True)
    assert rows.max() - rows.min() < 3
    assert columns.max() - columns.min() < 3
    return int(rows.min()), int(columns.min())


@pytest.mark.parametrize(
    ("place", "corners"),
    [
        ("lower_right", {2: (29, 29), 5: (29, 0), 7: (0, 0), 9: (0, 29)}),
        (("upper_right", (4, 5)), {2: (0, 29), 5: (4, 5)}),
    ],
    ids=["clockwise", "listed"],
)
def test_each_of_several_targets_has_a_place(
    place: Any, corners: dict[int, tuple[int, int]], split: Split[Any], fit_context: FitContext
) -> None:
    attack, aim = BadNets(place=place), Aim(tuple(corners), 10)
    made = trigger_test(split, attack, aim, 0, attack.fit(split, replace(fit_context, aim=aim))).split()
    assert set(made.labels.tolist()) == set(corners)
    x = {int(i): split.take(torch.tensor([at]))[0] for at, i in enumerate(split.index)}
    for row, (i, label) in enumerate(zip(made.index.tolist(), made.labels.tolist(), strict=True)):
        assert changed_at(made.take(torch.tensor([row]))[0], x[i]) == corners[label]


def test_all_to_all_has_one_place(split: Split[Any], fit_context: FitContext) -> None:
    aim = Aim("all-to-all", 10)
    state = BadNets().fit(split, replace(fit_context, aim=aim))
    made = trigger_test(split, BadNets(), aim, 0, state).split()
    assert made.labels.tolist() == [(y + 1) % 10 for y in split.truth.tolist()]
    np.testing.assert_array_equal(
        made.take(torch.arange(50)).numpy(), by_hand(split.take(torch.arange(50)), np.full((3, 3), 255), 29, 29)
    )


@pytest.mark.parametrize(
    ("settings", "target", "message"),
    [
        ({"size": 33}, 0, "33 x 33 pixels with a margin of 0 does not fit into pictures of 32 x 32"),
        ({"size": 20, "margin": 13}, 0, "20 x 20 pixels with a margin of 13"),
        ({"place": (30, 2)}, 0, "3 x 3 pixels at row 30, column 2"),
        ({"place": (2, 3)}, (0, 1), r"as many places as attack\.target has classes \(2\), got 1"),
        ({"place": ("upper_left", "upper_right")}, 0, r"classes \(1\), got 2"),
        ({}, (0, 1, 2, 3, 4), r"classes \(5\), got 1"),
    ],
)
def test_refuses_what_does_not_fit(
    settings: dict[str, Any], target: Any, message: str, split: Split[Any], fit_context: FitContext
) -> None:
    with pytest.raises(ConfigError, match=message):
        BadNets(**settings).fit(split, replace(fit_context, aim=Aim(target, 10)))


@pytest.mark.parametrize(
    "settings", [{"size": 0}, {"value": 256}, {"value": -1}, {"ratio": 0.1}, {"place": "center"}, {"place": (-1, 0)}]
)
def test_refuses_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BadNets.model_validate(settings)


def test_noise_differs_between_seeds(split: Split[Any], fit_context: FitContext) -> None:
    one, other = (BadNets(pattern="noise").fit(split, replace(fit_context, draws=Draws(s))) for s in (1, 2))
    assert not torch.equal(one["patch"], other["patch"])


def test_label_of_the_attacker() -> None:
    y = torch.tensor([0, 3, 9])
    assert BadNets().goal(y, torch.arange(3), Aim(2, 10)).tolist() == [2, 2, 2]
    assert BadNets().goal(y, torch.arange(3), Aim("all-to-all", 10)).tolist() == [1, 4, 0]
