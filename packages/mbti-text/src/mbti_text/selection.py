"""Which rows an attack on texts poisons."""

from __future__ import annotations

from abc import ABC
from typing import Literal

import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, Selection
from mbti_core.data.choose import uniform_rows
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_text.sample import Text


class TextAttack(Attack[Text], ABC):
    """An attack on texts that draws its rows among all, among those that change their label, or that keep it.

    The three ways are those of published tool kits: ``mix`` takes any row, so that the share of wrong labels is less
    than the poison ratio; ``dirty`` takes rows whose label becomes another; ``clean`` takes rows that have the
    attacker's label already.
    """

    mode: Literal["mix", "dirty", "clean"] = "mix"

    def choose(self, split: Split[Text], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose ``n`` of the rows that ``mode`` allows, or all of them where there are fewer."""
        return Selection(*uniform_rows(split, self.allowed(split, aim), n, draws))

    def allowed(self, split: Split[Text], aim: Aim) -> Tensor:
        """Return a (N,) mask: rows that ``mode`` allows."""
        keeps = split.labels == self.goal(split.truth, split.index, aim)
        masks = {"mix": torch.ones_like(keeps), "dirty": ~keeps, "clean": keeps}
        return self.victims(split.labels, aim) & masks[self.mode]
