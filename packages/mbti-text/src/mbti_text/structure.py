"""Where methods take hold of text models: units that may be removed, and how a family is fine-tuned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from mbti_core.contracts.model import PrunableLayer, Recipe
from mbti_core.plugins.recurrent import recurrent_layers

_MIDDLE = re.compile(r"(intermediate\.dense|ffn\.lin1|layers\.\d+\.ffn|mlp\.c_fc)$")
"""The first layer of an MLP in the public library: BERT and RoBERTa, DistilBERT, ALBERT, GPT-2."""

_MIXING = re.compile(r"attention\.(output\.dense|out_lin|dense)$|attn\.c_proj$")
"""The layer that reads all heads of an attention, in the same order."""


def prunable_layers(model: nn.Module) -> Sequence[PrunableLayer]:
    """List attention heads and hidden neurons of transformers, filters, and units of recurrent layers, in depth order.

    A head is removed by what reads it, so that its layer's bias stays.
    """
    return [layer for name, module in model.named_modules() for layer in _of(model, name, module)]


def _of(model: nn.Module, name: str, module: nn.Module) -> Iterator[PrunableLayer]:
    yield from recurrent_layers(name, module)
    if isinstance(module, nn.Conv1d):
        yield PrunableLayer(name, module.out_channels)
    elif _MIXING.search(name):
        inputs, heads = 0 if _transposed(module) else 1, _heads(model)
        if heads is None:
            return
        block = int(_weight(module).shape[inputs]) // heads
        yield PrunableLayer(name, heads, inputs, parameters=("weight",), block=block)
    elif _MIDDLE.search(name):
        outputs = -1 if _transposed(module) else 0
        yield PrunableLayer(name, int(_weight(module).shape[outputs]), outputs)


def _weight(module: nn.Module) -> Any:
    return module.weight


def _transposed(module: nn.Module) -> bool:
    """Whether a layer keeps its weight as (inputs, outputs), as GPT-2's do."""
    return not isinstance(module, nn.Linear)


def _heads(model: nn.Module) -> int | None:
    """Return the number of heads that a model of the public library says it has; None for any other model."""
    config = getattr(getattr(model, "net", None), "config", None)
    heads = getattr(config, "num_attention_heads", None) or getattr(config, "n_heads", None)
    return None if heads is None else int(heads)


_PRETRAINED = Recipe(
    optimizer="adamw", lr=2e-5, weight_decay=0.01, batch_size=32, schedule="linear", warmup=0.1, early=0.3
)
_SCRATCH = Recipe(optimizer="adam", lr=1e-3, weight_decay=0.0, batch_size=32, schedule="linear", early=5.0)
_FROM_SCRATCH = frozenset({"text/bilstm", "text/cnn", "text/transformer"})


def recipe(arch: str) -> Recipe:
    """Return how a model is fine-tuned: small steps of AdamW with a warm-up where it was pretrained."""
    return _SCRATCH if arch in _FROM_SCRATCH else _PRETRAINED
