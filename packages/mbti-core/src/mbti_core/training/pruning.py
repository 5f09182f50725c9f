"""Removing units of a layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import PrunableLayer

Silent = tuple[PrunableLayer, Tensor]
"""A layer, and (n,) int64 units of it that are removed."""


def shares(model: nn.Module, layer: PrunableLayer) -> Iterator[Tensor]:
    """Yield each parameter's part that belongs to units, as a view (units, ...): what unit u owns is at position u.

    The parameters of the BatchNorm that scales the units come last.
    """
    module = model.get_submodule(layer.module)
    for name in layer.parameters:
        parameter = getattr(module, name, None)
        if isinstance(parameter, Tensor) and parameter.dim() > layer.axis:
            axis = layer.axis % parameter.dim()
            part = parameter.narrow(axis, layer.first, layer.units * layer.block)
            yield part.unflatten(axis, (layer.units, layer.block)).movedim(axis, 0)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    if layer.norm is not None:
        norm = model.get_submodule(layer.norm)
        yield from (p for p in (norm.weight, norm.bias) if isinstance(p, Tensor))


def silence(model: nn.Module, layer: PrunableLayer, units: Tensor) -> None:
    """Set all that the given units (n,) own to zero, in place."""
    with torch.no_grad():
        for part in shares(model, layer):
            part[units.to(part.device)] = 0.0


def keep_silent(model: nn.Module, silent: Sequence[Silent]) -> None:
    """Silence units for good: their parameters get no gradient any more, so that no optimizer step revives them.

    Frozen ones get none anyhow.
    """
    mask = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in mask.parameters():
            parameter.fill_(1.0)
    for layer, units in silent:
        silence(model, layer, units)
        silence(mask, layer, units)
    for parameter, live in zip(model.parameters(), mask.parameters(), strict=True):
        if parameter.requires_grad and not bool(live.all()):
            parameter.register_hook(partial(torch.mul, live.detach()))  # type: ignore[no-untyped-call]  # torch leaves it untyped
