"""How active a model's units are, and what it knows: what methods that remove units go by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.defense import DefenseContext, LabelledSet
from mbti_core.contracts.model import PrunableLayer
from mbti_core.data.split import batches
from mbti_core.errors import NotSupportedError
from mbti_core.training.pruning import Silent
from mbti_core.training.subject import BATCH, Subject

Forward = Callable[[Any], Tensor]
"""Runs a model on a batch in storage form, and returns logits (B, C)."""


def demand_layers(subject: Subject, ctx: DefenseContext, asker: str) -> Sequence[PrunableLayer]:
    """Return the layers whose units may be removed, in depth order; one at least.

    Raises:
        NotSupportedError: If the model has none.
    """
    layers = ctx.adapters.prunable_layers(subject.model, ctx.info)
    if not layers:
        raise NotSupportedError(
            f"{asker} needs layers whose units can be removed, and {ctx.info.arch} has none.", "Choose another model."
        )
    return layers


def accuracy(subject: Subject, data: LabelledSet) -> float:
    """Return the share of rows that the model gives their label."""
    return float((subject.predict(data.x) == data.y.cpu()).double().mean())


def last_layers(subject: Subject, layers: Sequence[PrunableLayer], data: LabelledSet) -> Sequence[PrunableLayer]:
    """Return the last layer: of a module that keeps several, such as directions, those that its output is made of."""
    module = layers[-1].module
    width = caught(subject, layers[-1], data, torch.arange(1)).shape[1]
    same, chosen = [layer for layer in layers if layer.module == module], 0
    units = 0
    while units * layers[-1].block < width and chosen < len(same):
        chosen += 1
        units += same[-chosen].units
    return same[-chosen:]


def activations(
    subject: Subject, layers: Sequence[PrunableLayer], data: LabelledSet, forward: Forward | None = None
) -> Tensor:
    """Return (units,) float64 mean activations over rows and positions, of all layers one after another.

    Args:
        subject: The model.
        layers: Those that its last output is made of.
        data: Rows.
        forward: How the model is run; None for samples as they are.
    """
    total, count = torch.zeros(sum(layer.units for layer in layers), dtype=torch.float64), 0
    for rows in batches(torch.arange(len(data.index)), BATCH):
        found = caught(subject, layers[0], data, rows, forward)  # (positions, units * block)
        total += found.view(len(found), len(total), -1).mean(2).sum(0)
        count += len(found)
    return total / max(1, count)


def caught(
    subject: Subject, layer: PrunableLayer, data: LabelledSet, rows: Tensor, forward: Forward | None = None
) -> Tensor:
    """Return (positions, width) float64: how active what carries the layer's units is, at each place of each row."""
    seen: list[Tensor] = []
    with _listening(subject.model, layer, seen):
        (forward or subject.logits)(data.x.take(rows))
    return torch.cat(seen)


@contextmanager
def _listening(model: nn.Module, layer: PrunableLayer, seen: list[Tensor]) -> Iterator[None]:
    """Collect what carries a layer's units: a BatchNorm's or the layer's own output, or, of heads, its input."""
    spatial = next(model.get_submodule(layer.module).parameters()).dim() > 2

    def listen(module: nn.Module, inputs: Any, output: Any) -> None:
        del module
        plain = isinstance(output, Tensor)
        found = inputs[0] if layer.block > 1 else output if plain else output[0]
        found = (found if isinstance(found, Tensor) else found.data).double().cpu()  # a packed sequence has data
        found = found.movedim(1, -1) if spatial else found
        signed = plain and layer.block == 1
        seen.append((found.clamp_min(0) if signed else found.abs()).flatten(0, -2))

    handle = model.get_submodule(layer.norm or layer.module).register_forward_hook(listen)
    try:
        yield
    finally:
        handle.remove()


def split_units(layers: Sequence[PrunableLayer], units: Tensor) -> list[Silent]:
    """Return each layer with its own units, of those (n,) counted through all layers."""
    found, first = [], 0
    for layer in layers:
        inside = units[(units >= first) & (units < first + layer.units)] - first
        found.append((layer, inside))
        first += layer.units
    return found
