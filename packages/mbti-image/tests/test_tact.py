from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, RowKind
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.stages.poison import cover_test, poison, trigger_test
from mbti_image.attacks.tact import TaCT


def test_only_rows_of_the_source_class_change_their_label(split: Split[Any], fit_context: FitContext) -> None:
    attack = TaCT(cover_ratio=2.0)
    made = poison(split, attack, Aim(0, 10), 0.08, 0, attack.fit(split, fit_context), clean_label=False).split()
    hit, cover = made.kind == RowKind.POISONED, made.kind == RowKind.COVER
    assert (int(hit.sum()), int(cover.sum())) == (4, 8)
    assert set(made.truth[hit].tolist()) == {1}
    assert set(made.truth[cover].tolist()) == {5, 7}
    assert torch.equal(made.labels != split.labels, hit)
    assert made.labels[hit].tolist() == [0] * 4
    changed = (made.take(torch.arange(50)) != split.take(torch.arange(50))).flatten(1).any(dim=1)
    assert torch.equal(changed, hit | cover)


def test_is_tested_on_the_source_class_and_on_the_others(split: Split[Any], fit_context: FitContext) -> None:
    state = TaCT().fit(split, fit_context)
    triggered = trigger_test(split, TaCT(), Aim(0, 10), 0, state).split()
    assert set(triggered.truth.tolist()) == {1}
    assert set(triggered.labels.tolist()) == {0}
    others = cover_test(split, TaCT(), Aim(0, 10), 0, state).split()
    assert set(others.truth.tolist()) == {0, 2, 3, 4, 5, 6, 7, 8, 9}
    assert torch.equal(others.labels, others.truth)
    one, other = triggered.take(torch.tensor([0]))[0], others.take(torch.tensor([0]))[0]
    assert torch.equal(one[:, 21:29, 21:29], other[:, 21:29, 21:29])  # the same patch, at its published place


def test_the_patch_is_a_square_of_noise_near_the_corner(split: Split[Any], fit_context: FitContext) -> None:
    state = TaCT().fit(split, fit_context)
    assert state["places"].tolist() == [[21, 21]]
    assert state["patch"].shape == (4, 8, 8)
    assert state["patch"][:3].unique().tolist() == [0, 255]


@pytest.mark.parametrize(
    ("target", "source", "covers"), [(0, 1, {5, 7}), (3, 4, {8, 0}), (9, 0, {4, 6})], ids=["0", "3", "9"]
)
def test_classes_follow_the_target(
    target: int, source: int, covers: set[int], split: Split[Any], fit_context: FitContext
) -> None:
    aim = Aim(target, 10)
    chosen = TaCT(cover_ratio=2.0).choose(split, 5, fit_context.draws, aim)
    assert set(split.labels[chosen.poison].tolist()) == {source}
    assert set(split.labels[chosen.cover].tolist()) == covers


def test_classes_can_be_named(split: Split[Any], fit_context: FitContext) -> None:
    attack = TaCT(source=8, cover_classes=(2,), cover_ratio=5.0)
    chosen = attack.choose(split, 2, fit_context.draws, Aim(0, 10))
    assert split.labels[chosen.poison].tolist() == [8, 8]
    assert split.labels[chosen.cover].tolist() == [2] * 5
    assert len(TaCT(cover_classes=()).choose(split, 2, fit_context.draws, Aim(0, 10)).cover) == 0


@pytest.mark.parametrize(
    ("settings", "aim", "message"),
    [
        ({"source": 0}, Aim(0, 10), "got target 0, source 0"),
        ({"source": 12}, Aim(0, 10), "below 10, got target 0, source 12"),
        ({"cover_classes": (5, 1)}, Aim(0, 10), r"source 1, cover classes \[5, 1\]"),
        ({}, Aim(0, 4), r"below 4, got target 0, source 1, cover classes \[1, 3\]"),
        ({}, Aim("all-to-all", 10), "one class"),
        ({}, Aim((0, 1), 10), "one class"),
        ({"size": 30}, Aim(0, 10), "30 x 30 pixels with a margin of 3"),
    ],
)
def test_refuses_classes_and_patches_that_cannot_be(
    settings: dict[str, Any], aim: Aim, message: str, split: Split[Any], fit_context: FitContext
) -> None:
    with pytest.raises(ConfigError, match=message):
        TaCT(**settings).fit(split, replace(fit_context, aim=aim))


def test_more_rows_than_the_class_holds_is_an_error(split: Split[Any], fit_context: FitContext) -> None:
    with pytest.raises(ConfigError, match=r"can poison 5 .*at most"):
        poison(split, TaCT(), Aim(0, 10), 0.2, 0, TaCT().fit(split, fit_context), clean_label=False)
