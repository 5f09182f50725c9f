"""Units of recurrent layers, which keep several gates in one parameter."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from mbti_core.contracts.model import PrunableLayer

_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def recurrent_layers(name: str, module: nn.Module) -> Iterator[PrunableLayer]:
    """Yield the layers and directions of an LSTM; nothing of another module.

    A unit is removed by its cell gate: without it the cell stays at zero, and so does the answer.
    """
    if not isinstance(module, nn.LSTM):
        return
    directions = ("", "_reverse") if module.bidirectional else ("",)
    for suffix in (f"_l{n}{back}" for n in range(module.num_layers) for back in directions):
        owned = tuple(f"{parameter}{suffix}" for parameter in _PARAMETERS)
        yield PrunableLayer(name, module.hidden_size, parameters=owned, first=2 * module.hidden_size)
