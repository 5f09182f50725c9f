"""TaCT: a patch that works on one class only."""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext, Selection, single_target
from mbti_core.data.choose import uniform_rows
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_image.patches import Patched, number_of, stamp
from mbti_image.patterns import Pattern
from mbti_image.sample import Image


class TaCT(Patched, Attack[Image]):
    """Stamp a patch on rows of one source class and relabel them, and on rows of other classes that keep their label.

    The attacker adds these rows to the training data; only triggered rows of the source class shall be misclassified.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``patch`` (4, h, w), colors and opacity, ``places`` (1, 2).
    Units: ``size`` and ``margin`` in pixels; ``cover_ratio`` counts cover rows per poisoned row. ``source`` and
    ``cover_classes`` are class numbers; None takes target + 1, and target + 5 and + 7, modulo the number of classes.
    Raises: ConfigError: If there is no single target class, if the classes don't differ or don't exist, or if the patch
    does not fit into the picture.
    Source: Tang et al. 2021; classes and place as in a published tool kit for target 0.
    Deviates: a patch of random colors in place of a logo.
    """

    pattern: Pattern = "noise"
    size: PositiveInt = 8
    margin: NonNegativeInt = 3
    source: NonNegativeInt | None = None
    cover_classes: tuple[NonNegativeInt, ...] | None = None
    cover_ratio: NonNegativeFloat = 1.0

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Check the classes before anything is trained, and make the patch."""
        self._roles(ctx.aim)
        return super().fit(split, ctx)

    def choose(self, split: Split[Image], n: int, draws: Draws, aim: Aim) -> Selection:
        """Choose rows of the source class to poison, and rows of the cover classes."""
        _, covering = self._roles(aim)
        poison, _ = uniform_rows(split, self.victims(split.labels, aim), n, draws)
        free = torch.isin(split.labels, torch.tensor(covering, dtype=torch.int64))
        cover, _ = uniform_rows(split, free, round(self.cover_ratio * len(poison)), draws.stream("cover"))
        return Selection(poison, cover)

    def victims(self, y: Tensor, aim: Aim) -> Tensor:
        """Return which rows are of the source class."""
        return y == self._roles(aim)[0]

    def covers(self, y: Tensor, aim: Aim) -> Tensor:
        """Return which rows are of another class, the target's too: the patch shall not change them."""
        return ~self.victims(y, aim)

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return a copy with the patch on every row."""
        return stamp(x, ctx.state["patch"], ctx.state["places"], number_of(ctx.goal, ctx.aim))

    def _roles(self, aim: Aim) -> tuple[int, tuple[int, ...]]:
        """Return the source class and the cover classes."""
        target, n = single_target(aim), aim.classes
        source = (target + 1) % n if self.source is None else self.source
        covers = self.cover_classes
        covers = ((target + 5) % n, (target + 7) % n) if covers is None else covers
        found = [target, source, *covers]
        if len(set(found)) == len(found) and max(found) < n:
            return source, covers
        raise ConfigError(
            f"attack: expected target, source and cover classes to differ and to be below {n}, got target {target}, "
            f"source {source}, cover classes {list(covers)}.",
            "Set attack.source and attack.cover_classes.",
        )
