"""How families of image models are fine-tuned, where core's recipe does not fit them."""

from __future__ import annotations

from mbti_core.contracts.model import Recipe

# Layer normalization and attention want steps scaled per weight; SGD of 0.01, core's recipe, hardly moves them.
_TRANSFORMER = Recipe(optimizer="adamw", lr=1e-4, weight_decay=0.05, warmup=0.1)
# It is trained in ten epochs where others take a hundred, so what is easy is learned sooner: after two, in a trial.
_SHORT = Recipe(early=3.0)
_RECIPES = {"image/fast": _SHORT, "image/vit_b_16": _TRANSFORMER, "image/vit_tiny": _TRANSFORMER}


def recipe(arch: str) -> Recipe | None:
    """Return the recipe of an architecture's family; None where core's SGD fits."""
    return _RECIPES.get(arch)
