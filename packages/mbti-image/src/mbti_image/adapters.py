"""What the adapter hooks answer for images; imported by ``plugin.py`` when one of them is asked."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from PIL import Image as Picture
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.model import Rendering
from mbti_core.data.rng import Draws
from mbti_image.sample import Image

_SHOWN = 96  # pixels of the longer side at least
_GRAY = 128
_GAP = 1  # between pictures of a grid, before enlarging
_PARTS = 8  # of a side: the padding of a crop, and the edge of an occluding patch (4 pixels of 32)
Box = tuple[int, int, int, int]


def superimpose(x: Image, other: Image, weight: float | None) -> Tensor:
    """Add the other pictures, each less its own mean color.

    Args:
        x: uint8 (B, 3, H, W).
        other: uint8 (B, 3, H, W).
        weight: Factor of ``other``; 1 unless said.

    Returns:
        float32 (B, 3, H, W), models' inputs that may leave [0, 1]. To clip them would wash out a bright trigger under
        a bright picture (`docs/results/defenses.md` has the figures).

    Source: Gao et al. 2019, section 4, whose code adds standardized pictures of CIFAR-10 without a factor.
    Deviates: a hook sees no data set, so each picture's own mean takes the place of the data set's.
    """
    light = other.float()
    light -= light.mean((2, 3), keepdim=True)
    return light.mul_(1.0 if weight is None else weight).add_(x).div_(255)


def scaled(x: Image, factor: float) -> Image:
    """Return ``clip(factor * x)``, rounded."""
    return x if factor == 1 else (x.float() * factor).round_().clamp_(0, 255).to(torch.uint8)


def occlude(x: Image) -> Iterator[tuple[Box, Image]]:
    """Yield (top, left, bottom, right) and the batch with that patch in each picture's mean color, patch by patch."""
    height, width = x.shape[-2:]
    mean = x.float().mean((2, 3), keepdim=True).round_().to(torch.uint8)  # (B, 3, 1, 1)
    down, across = max(1, height // _PARTS), max(1, width // _PARTS)
    for top in range(0, height, down):
        for left in range(0, width, across):
            bottom, right = min(top + down, height), min(left + across, width)
            hidden = x.clone()
            hidden[:, :, top:bottom, left:right] = mean
            yield (top, left, bottom, right), hidden


def augment(x: Image, index: Tensor, strength: float, draws: Draws, facts: Mapping[str, Any]) -> Image:
    """Crop at random from the picture with a black border, and mirror half of the rows.

    Rows are mirrored only where the data set says that this keeps the label (its fact ``mirror``): a mirrored digit or
    traffic sign is another one.

    Args:
        x: uint8 (B, 3, H, W), on any device.
        index: (B,) int64, keys every draw.
        strength: 1 gives a border of an eighth of the height.
        draws: Randomness of this epoch.
        facts: Facts of the data set's card.
    """
    rows = torch.arange(len(x), device=x.device)
    index = index.to(x.device)
    pad = max(1, round(strength * x.shape[-2] / _PARTS))
    padded = functional.pad(x, (pad, pad, pad, pad))
    windows = padded.unfold(2, x.shape[2], 1).unfold(3, x.shape[3], 1)  # (B, 3, 2 pad + 1, 2 pad + 1, H, W), a view
    down, across = draws.stream("crop").integers(index, 2 * pad + 1, (2,)).T
    crops = windows[rows, :, down, across]  # (B, 3, H, W)
    if not facts.get("mirror", False):
        return crops
    mirrored = draws.stream("mirror").uniform(index) < 0.5
    return torch.where(mirrored[:, None, None, None], crops.flip(-1), crops)


def difference(x: Image, y: Image, factor: float) -> Image:
    """Return ``clip(128 + factor * (y - x))``: gray where nothing changed, lighter where ``y`` is lighter."""
    return (factor * (y.float() - x.float()) + _GRAY).round_().clamp_(0, 255).to(torch.uint8)


def render(x: Image) -> Sequence[Rendering]:
    """Show each row as a PNG inside the page; small pictures are enlarged by whole pixels."""
    height, width = x.shape[-2:]
    factor = _enlarged(x)
    caption = f"{width} x {height} pixels" + (f", enlarged {factor} times" if factor > 1 else "")
    coded = [base64.b64encode(_png(row, factor)).decode("ascii") for row in x.cpu()]
    return [Rendering(f'<img src="data:image/png;base64,{data}" alt="{caption}">', caption) for data in coded]


def picture(rows: Sequence[Image]) -> bytes:
    """Return a PNG of batches of equal shape, one below the other on white."""
    framed = [functional.pad(x.cpu(), (0, _GAP, 0, _GAP), value=255) for x in rows]  # (B, 3, H + gap, W + gap)
    grid = torch.cat([torch.cat(list(x), dim=2) for x in framed], dim=1)  # (3, rows (H + gap), B (W + gap))
    return _png(grid[:, :-_GAP, :-_GAP], _enlarged(rows[0]))


def png_files(x: Image) -> Sequence[bytes]:
    """Return each picture as a PNG file, a pixel being a pixel."""
    return [_png(row, 1) for row in x.cpu()]


def _enlarged(x: Image) -> int:
    return max(1, _SHOWN // max(x.shape[-2:]))


def _png(row: Tensor, factor: int) -> bytes:
    """Return one (3, H, W) picture as a PNG file, each pixel ``factor`` pixels wide and high."""
    shown, buffer = Picture.fromarray(row.permute(1, 2, 0).contiguous().numpy()), io.BytesIO()
    shown.resize((shown.width * factor, shown.height * factor), Picture.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
