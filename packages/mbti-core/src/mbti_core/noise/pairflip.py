"""Label noise between neighbors."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from mbti_core.contracts.noise import Noise, NoiseContext


class PairFlip(Noise[Tensor]):
    """Change labels to the next class, and those of the last one to the first; the stage's ``share`` chooses the rows.

    Whoever labels takes one class for another, always in the same direction; nobody attacks yet.

    Shape: (B,) int64 labels in [0, C).
    Source: Han et al. 2018 (Co-teaching), section 4, figure 2 ("pair").
    Deviates: exactly the share of all rows, where their code draws each row by itself.
    """

    on: ClassVar[Literal["x", "y"]] = "y"

    def apply(self, x: Tensor, ctx: NoiseContext) -> Tensor:
        """Return the labels' successors."""
        return (x + 1) % ctx.classes
