"""How a defense trains a model further, unless its settings say otherwise."""

from __future__ import annotations

from dataclasses import replace

from mbti_core.contracts.defense import DefenseContext
from mbti_core.contracts.model import Recipe


def recipe_of(ctx: DefenseContext, epochs: int | None, lr: float | None) -> Recipe:
    """Return the recipe of the model's family, with other epochs or another learning rate where they are given."""
    own = ctx.adapters.recipe(ctx.info)
    return replace(own, epochs=epochs or own.epochs, lr=lr or own.lr)
