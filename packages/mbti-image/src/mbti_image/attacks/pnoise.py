"""PNoise: procedural noise over the whole image."""

from __future__ import annotations

import math

import torch
from pydantic import PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_image.levels import shifted
from mbti_image.sample import Image, Share, size_of

_DIRECTIONS = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)


class PNoise(Attack[Image]):
    """Brighten every triggered row by one Perlin noise, drawn once; the attacker adds relabelled rows.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``noise`` float32 (H, W) in [0, 1], both ends reached.
    Units: ``alpha`` is the brightest addition as a share of 255; ``period`` in pixels.
    Source: Chen, Ma and Lu 2021, and its authors' code: x' = clip(x + a n), n scaled to [0, 1], alike in all channels.
    Deviates: lattice directions from the attack seed; a further octave halves amplitude and period, where the authors'
    second one, of the same period, leaves the scaled noise as it is.
    """

    alpha: Share = 0.3
    period: PositiveInt = 4
    octaves: PositiveInt = 1

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Draw the noise once."""
        height, width = size_of(split)
        layers = [
            perlin(ctx.draws.stream("lattice", octave), height, width, self.period / 2**octave) / 2**octave
            for octave in range(self.octaves)
        ]
        noise = torch.stack(layers).sum(0)
        low, high = noise.min(), noise.max()
        return {"noise": ((noise - low) / (high - low)).float()}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return clip(x + 255 a n), rounded."""
        return shifted(x, (255 * self.alpha * ctx.state["noise"]).round().to(torch.int16))


def perlin(draws: Draws, height: int, width: int, period: float) -> Tensor:
    """Return (H, W) float64 gradient noise in [-1, 1], 0 at each lattice point, which are ``period`` pixels apart."""
    down, across = (torch.arange(side, dtype=torch.float64) / period for side in (height, width))
    rows, columns = (math.floor((side - 1) / period) + 2 for side in (height, width))
    drawn = draws.integers(torch.zeros(1, dtype=torch.int64), len(_DIRECTIONS), (rows, columns))[0]
    slope = _DIRECTIONS[drawn]  # (rows, columns, 2), one direction per lattice point
    row, column = down.floor().long(), across.floor().long()
    v, u = (down - row)[:, None], (across - column)[None, :]

    def ramp(below: int, right: int) -> Tensor:
        corner = slope[row + below][:, column + right]  # (H, W, 2)
        return corner[..., 0] * (v - below) + corner[..., 1] * (u - right)

    top = torch.lerp(ramp(0, 0), ramp(0, 1), fade(u))
    bottom = torch.lerp(ramp(1, 0), ramp(1, 1), fade(u))
    return torch.lerp(top, bottom, fade(v))


def fade(t: Tensor) -> Tensor:
    """Return 6 t^5 - 15 t^4 + 10 t^3."""
    return t**3 * (t * (6 * t - 15) + 10)
