"""Units of recurrent layers, which keep several gates in one parameter."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from mbti_core.contracts.model import PrunableLayer

_GATES, _CELL = 4, 2  # input, forget, cell, output: the order in which their weights stand
_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def recurrent_layers(name: str, module: nn.Module) -> Iterator[PrunableLayer]:
    """Yield the layers and directions of an LSTM; nothing of another module.

    A unit is removed by its cell gate: without it the cell stays at zero, and so does the answer.
    """
    if not isinstance(module, nn.RNNBase) or len(module.get_parameter("weight_ih_l0")) != _GATES * module.hidden_size:
        return
    directions = ("", "_reverse") if module.bidirectional else ("",)
    for suffix in (f"_l{n}{back}" for n in range(module.num_layers) for back in directions):
        owned = tuple(p + suffix for p in _PARAMETERS if hasattr(module, p + suffix))
        yield PrunableLayer(name, module.hidden_size, parameters=owned, first=_CELL * module.hidden_size)
