"""Pictures and patches: drawn ones of our own, and those that a person brings as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from PIL import Image as Picture
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from mbti_core.data.fileref import FileRef
from mbti_core.data.reading import reading
from mbti_core.data.rng import Draws

Pattern = Annotated[Literal["square", "checkerboard", "noise"] | FileRef, Field(union_mode="left_to_right")]
"""What a patch shows: a drawn pattern by name, or a picture file, whose opacity is the mask."""

_ONE = torch.zeros(1, dtype=torch.int64)
_CELLS = 6
_CONTRAST = 12.0
_BROKEN = (OSError, ValueError, SyntaxError, Picture.DecompressionBombError)


def draw_picture(draws: Draws, height: int, width: int) -> Tensor:
    """Return (3, H, W) uint8: a coarse random grid, enlarged smoothly and pushed towards black and white."""
    coarse = draws.stream("pattern").uniform(_ONE, (3, _CELLS, _CELLS))
    smooth = functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)[0]
    return (255 * torch.sigmoid(_CONTRAST * (smooth - 0.5))).round().to(torch.uint8)


def draw_noise(draws: Draws, height: int, width: int) -> Tensor:
    """Return (3, H, W) uint8: every channel of every pixel is 0 or 255 by chance, so a pixel has one of 8 colors."""
    return (255 * draws.stream("noise").integers(_ONE, 2, (3, height, width))[0]).to(torch.uint8)


def load_picture(path: Path, height: int, width: int) -> Tensor:
    """Return a picture file as (3, H, W) uint8, resized with antialiasing; transparency lies on white.

    Raises:
        DataUnavailableError: If there is no such file, or it may not be read.
        DataFormatError: If it is not a picture.
    """
    picture = _opened(path)
    on_white = Picture.alpha_composite(Picture.new("RGBA", picture.size, "white"), picture)
    return _channels_first(on_white.convert("RGB").resize((width, height), Picture.Resampling.BICUBIC))


def load_patch(path: Path) -> Tensor:
    """Return a picture file in its own size as (4, h, w) uint8: colors, and opacity (255 where the file has none).

    Raises:
        DataUnavailableError: If there is no such file, or it may not be read.
        DataFormatError: If it is not a picture.
    """
    return _channels_first(_opened(path))


def draw_patch(pattern: str, size: int, value: int, draws: Draws) -> Tensor:
    """Return a drawn pattern as (4, size, size) uint8: colors, and an opacity of 255.

    Args:
        pattern: ``square`` is of the level ``value``; ``checkerboard`` of ``value``, in the lower right pixel too, and
            255 - ``value``; ``noise`` of colors drawn at random.
        size: Side in pixels.
        value: Level of all three channels, 0 to 255.
        draws: Keyed randomness, for ``noise``.
    """
    colors = torch.full((3, size, size), value, dtype=torch.uint8)
    if pattern == "checkerboard":
        away = torch.arange(size - 1, -1, -1)
        colors[:, (away[:, None] + away) % 2 == 1] = 255 - value
    if pattern == "noise":
        colors = draw_noise(draws, size, size)
    return torch.cat([colors, torch.full((1, size, size), 255, dtype=torch.uint8)])


def _opened(path: Path) -> Picture.Image:
    """Return a file as 8-bit RGBA; Pillow would clip gray of 16 bits at 255."""
    with reading(path, "a picture", _BROKEN), Picture.open(path) as file:
        if not file.mode.startswith("I"):
            return file.convert("RGBA")
        levels = (np.array(file).astype(np.int64).clip(0, 65535) + 128) // 257
        return Picture.fromarray(levels.astype(np.uint8)).convert("RGBA")


def _channels_first(picture: Picture.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
