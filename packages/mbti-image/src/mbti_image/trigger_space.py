"""Differentiable families of triggers on pixels, which trigger inversion searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import InputSpec
from mbti_core.contracts.trigger_space import Family, Params
from mbti_core.data.rng import Draws

BOUND = 32 / 255
"""How far an additive trigger may move a channel of a pixel, on the [0, 1] scale."""

_PIXELS = (-3, -2, -1)
_INSIDE = 1 - 1e-4  # a draw of 0 or 1 itself would have an infinite parameter
_FAINT = 0.1


@dataclass(frozen=True)
class Pixels:
    """What both families share: a lifted picture is the model's input, floats (B, 3, H, W) in [0, 1].

    Parameters have no batch axis. Stacked ones, (K, 1, ...), give (K, B, 3, H, W), (K, 1) sizes and (K, B, C) logits.

    Attributes:
        height: Of a picture, in pixels.
        width: Of a picture, in pixels.
        device: Where the model is.
    """

    height: int
    width: int
    device: torch.device

    def lift(self, model: nn.Module, batch: Tensor) -> Tensor:
        """Return the model's input itself: pixels are differentiable."""
        del model
        return batch

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C), or (K, B, C) of stacked triggers."""
        logits: Tensor = model(lifted.flatten(0, -4))
        return logits.view(*lifted.shape[:-3], -1)

    def discrete(self, params: Params) -> Sequence[Params]:
        """Return the trigger itself: pixels hold any."""
        return [params]

    def drawn(self, draws: Draws, channels: int) -> Tensor:
        """Return (channels, H, W) uniform in [0, 1)."""
        one = torch.zeros(1, dtype=torch.int64)
        return draws.uniform(one, (channels, self.height, self.width))[0].to(self.device)


class MaskedPattern(Pixels):
    """A pattern that replaces the picture where a mask says so: ``(1 - m) x + m p``.

    Mask m (1, H, W) and pattern p (3, H, W) in [0, 1] are ``(tanh(theta) + 1) / 2`` of the parameters ``mask`` and
    ``pattern``, so any real number is one. The size is the L1 norm of the mask: the number of pixels replaced.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, equations 2 and 3; the parametrization is its authors' code's.
    """

    def initial(self, draws: Draws) -> Params:
        """Return parameters of a uniformly drawn mask and pattern, as the authors start."""
        mask, pattern = self.drawn(draws.stream("mask"), 1), self.drawn(draws.stream("pattern"), 3)
        return {"mask": _theta(mask), "pattern": _theta(pattern)}

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the pictures with the trigger, in [0, 1] where they were."""
        mask, pattern = _unit(params["mask"]), _unit(params["pattern"])
        return (1 - mask) * lifted + mask * pattern

    def size(self, params: Params) -> Tensor:
        """Return the L1 norm of the mask, in pixels."""
        return _unit(params["mask"]).sum(_PIXELS)

    def shown(self, model: nn.Module, params: Params) -> Tensor:
        """Return the pattern on black, uint8 (1, 3, H, W)."""
        del model
        return _picture(_unit(params["mask"]) * _unit(params["pattern"]))


class BoundedShift(Pixels):
    """A pattern of at most ``BOUND`` per channel that is added to the whole picture: ``clip(x + BOUND tanh(theta))``.

    The parameter ``shift`` is (3, H, W). The size is the L2 norm of what is added, before clipping. It finds what is
    spread over the picture and has no place that a mask could keep small: blended, sinusoidal, low-frequency triggers.
    """

    def initial(self, draws: Draws) -> Params:
        """Return parameters of a faint random pattern; at zero itself the size has no direction to shrink in."""
        return {"shift": _FAINT * (2 * self.drawn(draws.stream("shift"), 3) - 1)}

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the pictures with the trigger, in [0, 1]."""
        return (lifted + BOUND * params["shift"].tanh()).clamp(0, 1)

    def size(self, params: Params) -> Tensor:
        """Return the L2 norm of what is added, on the [0, 1] scale."""
        size: Tensor = torch.linalg.vector_norm(BOUND * params["shift"].tanh(), dim=_PIXELS)
        return size

    def shown(self, model: nn.Module, params: Params) -> Tensor:
        """Return what is added, enlarged so that the bound is the whole range around gray, uint8 (1, 3, H, W)."""
        del model
        return _picture(_unit(params["shift"]))


def _picture(x: Tensor) -> Tensor:
    return (255 * x.detach()).round().to(torch.uint8).cpu()[None]


def _unit(theta: Tensor) -> Tensor:
    return (theta.tanh() + 1) / 2


def _theta(unit: Tensor) -> Tensor:
    return ((2 * unit - 1) * _INSIDE).atanh()


_FAMILIES: Mapping[str, type[MaskedPattern | BoundedShift]] = {"mask": MaskedPattern, "additive": BoundedShift}


def trigger_space(model: nn.Module, spec: InputSpec, family: Family) -> MaskedPattern | BoundedShift | None:
    """Return a family of triggers on pictures of one size; None for a family that there is not.

    Args:
        model: Batch to logits; triggers are made where its parameters are.
        spec: One input, (3, H, W).
        family: ``mask`` or ``additive``.
    """
    height, width = spec.shape[1:]
    kind = _FAMILIES.get(family)
    if kind is None or height is None or width is None:
        return None
    return kind(height, width, next(model.parameters()).device)
