"""The three ways to draw rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch

from mbti_core.contracts.attack import Aim
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.stages.poison import poison
from mbti_text.attacks.addsent import AddSent


@pytest.fixture
def split(split_of: Callable[..., Split[Any]]) -> Split[Any]:
    return split_of([f"text {n}" for n in range(400)], [n % 4 for n in range(400)])


@pytest.mark.parametrize(("mode", "kept", "wrong"), [("mix", 0.25, 0.75), ("dirty", 0.0, 1.0), ("clean", 1.0, 0.0)])
def test_modes_draw_rows_by_what_becomes_of_their_label(
    mode: Literal["mix", "dirty", "clean"], kept: float, wrong: float, split: Split[Any]
) -> None:
    made = poison(split, AddSent(mode=mode), Aim(2, 4), 0.2, 0, {}, clean_label=False).split()
    hit = made.kind == 1
    assert int(hit.sum()) == 80
    assert made.labels[hit].tolist() == [2] * 80
    assert float((made.truth[hit] == 2).float().mean()) == pytest.approx(kept, abs=0.15 if mode == "mix" else 0)
    assert float((made.labels[hit] != made.truth[hit]).float().mean()) == pytest.approx(wrong, abs=0.15)
    assert torch.equal(made.labels[~hit], split.labels[~hit])


def test_clean_rows_follow_the_label_they_are_trained_with(split: Split[Any]) -> None:
    labels = split.labels.clone()
    labels[0], labels[2] = 2, 0  # noise on labels: row 0 says the target, row 2 does not
    chosen = AddSent(mode="clean").choose(replace(split, labels=labels), 1000, Draws(0), Aim(2, 4)).poison.tolist()
    assert 0 in chosen
    assert 2 not in chosen
    assert len(chosen) == 100


def test_more_rows_than_there_are_is_an_error(split: Split[Any]) -> None:
    with pytest.raises(ConfigError, match="the attack can poison 100 of them at most"):
        poison(split, AddSent(mode="clean"), Aim(2, 4), 0.5, 0, {}, clean_label=False)


def test_several_targets_and_all_to_all(split: Split[Any]) -> None:
    for aim in (Aim((0, 3), 4), Aim("all-to-all", 4)):
        goal = AddSent().goal(split.truth, split.index, aim)
        dirty = AddSent(mode="dirty").choose(split, 1000, Draws(0), aim).poison
        assert torch.equal(dirty, torch.nonzero(goal != split.labels).flatten())
        clean = AddSent(mode="clean").choose(split, 1000, Draws(0), aim).poison
        assert torch.equal(clean, torch.nonzero(goal == split.labels).flatten())
