"""Removing units of a layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import PrunableLayer


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
