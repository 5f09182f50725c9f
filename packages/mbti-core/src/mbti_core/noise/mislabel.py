"""Symmetric label noise."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from mbti_core.contracts.noise import Noise, NoiseContext


class Mislabel(Noise[Tensor]):
    """Change labels to another class, uniformly; the rows are chosen by the stage's ``share``.

    The victim's owner labels carelessly; nobody attacks yet.

    Shape: (B,) int64 labels in [0, C).
    Source: Yu et al. 2025 (BackdoorMBTI), section 4 ("randomly changed 25 % of the labels").
    Deviates: drawn once per data set, never per epoch, and never the same class again (their code redraws at each
        access, and keeps the label with probability 1/C).
    """

    on: ClassVar[Literal["x", "y"]] = "y"

    def apply(self, x: Tensor, ctx: NoiseContext) -> Tensor:
        """Return other labels."""
        offset = ctx.draws.stream("mislabel").integers(ctx.index, max(1, ctx.classes - 1)) + 1
        return (x + offset) % ctx.classes
