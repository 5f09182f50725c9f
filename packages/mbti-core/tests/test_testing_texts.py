"""Comparing batches of texts, and noises whose extra is not installed, in the conformance kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from mbti_core.contracts.model import InputSpec
from mbti_core.errors import MissingPluginError
from mbti_core.plugins.manager import Registry
from mbti_core.testing import planning, toy
from mbti_core.testing.compare import difference, form_problem

SPEC = InputSpec((None,), "str", 0, 0x10FFFF, discrete=True)


class Remembering(list[str]):
    """A batch of texts that knows more than its texts."""


class Absent(toy.Fuzz):
    """Needs a package that nobody has."""

    def apply(self, x: Tensor, ctx: Any) -> Tensor:
        raise MissingPluginError("The noise 'toy/made' needs the package nowhere.", "pip install nowhere")


def test_texts_lie_apart_by_what_they_do_not_share() -> None:
    assert difference(["abcd", "same"], ["abcd", "same"]) == 0
    assert difference(["abcd"], ["abxx"]) == pytest.approx(0.5)
    assert difference(["abcd", "same"], ["abxx", "same"]) == pytest.approx(0.25)
    assert difference(["abcd"], ["abcdefgh"]) == pytest.approx(1 - 8 / 12)  # 2 M / T, as difflib defines it
    assert difference([], []) == 0


def test_a_changed_batch_of_texts_may_be_plain_or_know_more() -> None:
    assert form_problem(Remembering(["a"]), ["b"], SPEC) == ""
    assert form_problem(["a"], Remembering(["b"]), SPEC) == ""
    assert form_problem(["a"], ["b", "c"], SPEC) == "expected 1 rows, got 2"
    assert form_problem(["a"], ("b",), SPEC) == "expected a list, got a tuple"


def test_a_noise_whose_extra_is_absent_is_skipped(plugged: Callable[..., Registry]) -> None:
    registry = plugged("noise", f"{__name__}:Absent")
    checks = {c.id: c for c in planning.plan_checks("made", registry=registry)}
    for name in ("pure", "keeps_type_shape_range", "same_seed_same_result"):
        result = planning.run_check(checks[f"toy/made-{name}"])
        assert (result.status, result.message) == ("skipped", "The noise 'toy/made' needs the package nowhere.")
