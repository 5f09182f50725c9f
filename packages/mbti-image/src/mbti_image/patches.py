"""Small pictures at a place: their settings, where they go, and stamping them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import Aim, FitContext
from mbti_core.contracts.settings import Settings
from mbti_core.data.fileref import FileRef
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_image.levels import laid_over
from mbti_image.patterns import Pattern, draw_patch, load_patch
from mbti_image.sample import Byte, Image, size_of

Corner = Literal["upper_left", "upper_right", "lower_right", "lower_left"]
Place = Corner | tuple[NonNegativeInt, NonNegativeInt]
_CLOCKWISE: tuple[Corner, ...] = ("upper_left", "upper_right", "lower_right", "lower_left")


class Patched(Settings):
    """The settings of an attack that stamps a patch, and the ``fit`` that makes the patch and finds its place.

    Attributes:
        pattern: A drawn pattern, or a picture file in its own size, whose opacity is the mask.
        size: Side of a drawn pattern, in pixels.
        value: Level of a drawn square or checkerboard.
        place: A corner, or row and column of the patch's upper left pixel; or one of these per target. Several
            targets and one corner: each has the next corner, clockwise.
        margin: Pixels between a patch in a corner and the picture's edges.
    """

    pattern: Pattern = "square"
    size: PositiveInt = 3
    value: Byte = 255
    place: Place | tuple[Place, ...] = "lower_right"
    margin: NonNegativeInt = 0

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Make the patch, and find its place for each target.

        Returns:
            ``patch`` uint8 (4, h, w), colors and opacity; ``places`` int64 (k, 2), row and column, one per target.

        Raises:
            ConfigError: If the patch reaches beyond the picture, or there are more targets than places.
            DataUnavailableError, DataFormatError: If ``pattern`` cannot be read as a picture.
        """
        if isinstance(self.pattern, FileRef):
            patch = load_patch(Path(self.pattern))
        else:
            patch = draw_patch(self.pattern, self.size, self.value, ctx.draws)
        height, width = patch.shape[-2:]
        picture = size_of(split)
        found = [_upper_left(place, self.margin, (height, width), picture) for place in self._places(ctx.aim)]
        return {"patch": patch, "places": torch.tensor(found)}

    def _places(self, aim: Aim) -> list[Place]:
        """Return one place per target, or the only one."""
        count = len(aim.target) if isinstance(aim.target, tuple) else 1
        given = _listed(self.place)
        if len(given) == 1 and given[0] in _CLOCKWISE and count <= len(_CLOCKWISE):
            first = _CLOCKWISE.index(given[0])
            return [_CLOCKWISE[(first + step) % len(_CLOCKWISE)] for step in range(count)]
        if len(given) != count:
            raise ConfigError(
                f"attack.place: expected as many places as attack.target has classes ({count}), got {len(given)}.",
                "List one place per target: a corner, or row and column.",
            )
        return given


def _listed(place: Place | tuple[Place, ...]) -> list[Place]:
    """Return the places of a setting that may be one or several."""
    if isinstance(place, str):
        return [place]
    pair = len(place) == 2 and all(isinstance(number, int) for number in place)
    return [place] if pair else list(place)  # type: ignore[list-item, arg-type]  # mypy can't tell a pair from places


def _upper_left(place: Place, margin: int, patch: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int]:
    room = [whole - part for whole, part in zip(picture, patch, strict=True)]
    if isinstance(place, str):
        edges = ("upper" in place, "left" in place)
        row, column = (margin if near else free - margin for near, free in zip(edges, room, strict=True))
        needed = margin
    else:
        (row, column), needed = place, 0
    inside = all(needed <= at <= free for at, free in zip((row, column), room, strict=True))
    if inside:
        return row, column
    size = "{} x {}".format
    where = f"with a margin of {margin}" if isinstance(place, str) else f"at row {row}, column {column}"
    raise ConfigError(
        f"attack: a patch of {size(*patch)} pixels {where} does not fit into pictures of {size(*picture)}.",
        "Lower attack.size, or choose another place; a pattern file keeps its own size.",
    )


def stamp(x: Image, patch: Tensor, places: Tensor, number: Tensor) -> Image:
    """Return a copy of a batch with the patch on every row.

    Args:
        x: uint8 (B, 3, H, W).
        patch: uint8 (4, h, w), colors and opacity.
        places: int64 (k, 2), row and column of the upper left pixel.
        number: (B,) int64, which place each row has.
    """
    y = x.clone()
    opacity = patch[3:].float() / 255
    for at, (row, column) in enumerate(places.tolist()):
        rows = torch.nonzero(number == at).flatten() if len(places) > 1 else slice(None)
        area = (rows, slice(None), slice(row, row + patch.shape[1]), slice(column, column + patch.shape[2]))
        y[area] = laid_over(y[area], patch[:3], opacity)
    return y


def number_of(goal: Tensor, aim: Aim) -> Tensor:
    """Return (B,): which of several targets each row's label ``goal`` (B,) is; 0 where there is but one trigger."""
    if not isinstance(aim.target, tuple):
        return goal * 0
    return (goal[:, None] == goal.new_tensor(aim.target)).int().argmax(dim=1)
