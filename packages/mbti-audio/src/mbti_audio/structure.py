"""Where methods take hold of models for sounds: units that may be removed, and how a family is fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from mbti_core.contracts.model import ModelInfo, PrunableLayer, Recipe
from mbti_core.plugins.structural import mbti_prunable_layers

_PRETRAINED = Recipe(
    optimizer="adamw", lr=2e-5, weight_decay=0.01, batch_size=32, schedule="linear", warmup=0.1, early=0.3
)
_SCRATCH = Recipe(optimizer="adam", lr=1e-3, weight_decay=0.0, batch_size=64, early=5.0)
_RECURRENT = frozenset({"audio/lstm", "audio/attention_rnn"})
_ENCODERS = frozenset({"audio/wav2vec2", "audio/hubert"})


def prunable_layers(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer]:
    """List what core finds in a model that hears one second: a sound's own length is free, and a pass needs one."""
    second = replace(info, input=replace(info.input, shape=(info.facts["rate"],)))
    return mbti_prunable_layers(model, second)


def recipe(arch: str) -> Recipe | None:
    """Return how a family is fine-tuned; None where core's SGD fits."""
    if arch in _ENCODERS:
        return _PRETRAINED
    return _SCRATCH if arch in _RECURRENT else None
