"""DynaTrigger: a random pattern at a random place, both new for every row."""

from __future__ import annotations

import math

import torch
from pydantic import PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_image.sample import Image, size_of


class DynaTrigger(Attack[Image]):
    """Stamp a square of random colors somewhere in a part of the picture that belongs to the wanted label.

    The attacker adds relabelled rows to the training data; each row, of training or of testing, has a square and a
    place of its own. The parts are the cells of a grid of g x g, the least with one for each class; class j has the one
    in row j div g, column j mod g.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``corners`` (C, 2), row and column of each class's cell, and ``room``
    (2,), how many places there are down and across a cell.
    Units: ``size`` in pixels.
    Raises: ConfigError: If the square does not fit into a cell.
    Source: Salem et al. 2022, Random Backdoor: pattern and place drawn per use, places by label.
    Deviates: a grid in place of listed places, so that there may be any number of classes.
    """

    size: PositiveInt = 4

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Give each class its cell."""
        height, width = size_of(split)
        grid = math.isqrt(ctx.aim.classes - 1) + 1
        down, across = height // grid, width // grid
        most = min(down, across)
        if self.size > most:
            raise ConfigError(
                f"attack.size: each of {ctx.aim.classes} classes has {down} x {across} pixels of a picture of "
                f"{height} x {width}; expected a square that fits, got {self.size} x {self.size}.",
                f"Lower attack.size to {most} or less." if most else "Use larger pictures, or fewer classes.",
            )
        label = torch.arange(ctx.aim.classes)
        corners = torch.stack([label // grid * down, label % grid * across], dim=1)
        return {"corners": corners, "room": torch.tensor([down, across]) - self.size + 1}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return a copy with a new square on every row."""
        draws, side = ctx.draws.stream("square", ctx.role), torch.arange(self.size)
        jitter = (draws.stream("place").uniform(ctx.index, (2,)) * ctx.state["room"]).long()
        place = ctx.state["corners"][ctx.goal] + jitter  # (B, 2)
        rows = (place[:, :1] + side)[:, None, :, None]  # (B, 1, b, 1)
        columns = (place[:, 1:] + side)[:, None, None, :]  # (B, 1, 1, b)
        colors = draws.stream("colors").integers(ctx.index, 256, (3, self.size, self.size)).to(torch.uint8)
        y = x.clone()
        y[torch.arange(len(x))[:, None, None, None], torch.arange(3)[:, None, None], rows, columns] = colors
        return y
