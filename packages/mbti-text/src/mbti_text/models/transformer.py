"""A small transformer without pretraining."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.errors import ConfigError
from mbti_text.models.encoder import small_transformer
from mbti_text.models.vocabulary import Tokens, VocabularySize

Width = Annotated[int, Field(ge=1)]


def transformer(
    info: ModelInfo,
    *,
    vocabulary: VocabularySize = 10_000,
    max_tokens: Tokens = 256,
    width: Width = 256,
    heads: Width = 4,
    layers: Width = 4,
) -> nn.Module:
    """A transformer encoder that learns everything, its vocabulary too, from the training rows.

    Source: Devlin et al. 2019, the architecture.
    Deviates: no pretraining, and a tenth of the size; the first token of a text takes the place of a special one.

    Args:
        info: What the model is.
        vocabulary: Number of tokens, at most.
        max_tokens: What comes after is cut off.
        width: Of each token's state.
        heads: Attention heads per layer.
        layers: Number of layers.
    """
    if width % heads:
        raise ConfigError(
            f"model.width: expected a multiple of model.heads, {heads}, got {width}.",
            f"Set model.width to {heads * max(1, width // heads)}.",
        )
    return small_transformer(
        info, vocabulary=vocabulary, max_tokens=max_tokens, width=width, heads=heads, layers=layers
    )
