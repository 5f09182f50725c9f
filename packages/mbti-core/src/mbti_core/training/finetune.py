"""Fine-tuning on labelled samples, for every defense that repairs a model by training it further."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import nn

from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.model import Recipe
from mbti_core.data.rng import Draws
from mbti_core.engine.config import TrainConfig
from mbti_core.training.loop import Fit, fit_model
from mbti_core.training.optimize import thaw
from mbti_core.training.pruning import Silent, keep_silent
from mbti_core.training.subject import Subject


def config_of(recipe: Recipe, epochs: int, *, augment: bool) -> TrainConfig:
    """Return how the loop trains by a recipe, whose own ``epochs`` is not read."""
    return TrainConfig(
        epochs=epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.optimizer,
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        schedule=recipe.schedule,
        warmup=recipe.warmup,
        augment=augment,
    )


def finetune(
    subject: Subject,
    data: LabelledSet,
    recipe: Recipe,
    *,
    epochs: int,
    draws: Draws,
    augment: bool = True,
    silent: Sequence[Silent] = (),
) -> nn.Module:
    """Train a copy of the subject's model on ``data`` by cross-entropy, all layers, normalization in train mode.

    It is the victim's own loop: order and augmentation are keyed, dropout is fenced, so the same draws give the same
    weights on the same machine, and the global generators are left as they were.

    Args:
        subject: The model to start from; it stays as it is, in weights and mode. Its precision is used.
        data: At least one sample with its label, on the subject's device.
        recipe: Optimizer, learning rate (above 0), weight decay, schedule, batch size; its ``epochs`` is not read.
        epochs: Passes over ``data``, at least 1; the schedule reaches its end with the last one.
        draws: Keyed randomness.
        augment: Whether samples are varied as their modality's plugin says.
        silent: Units that are removed before, and stay so.

    Returns:
        A new module in eval mode, on the subject's device.
    """
    model = copy.deepcopy(subject.model)
    if silent:
        thaw(model)  # only a parameter that is trained can be kept silent
        keep_silent(model, silent)
    config = config_of(recipe, epochs, augment=augment)
    fit_model(Fit(subject.with_model(model), data, config, draws.seed))
    return model if not silent else copy.deepcopy(model)  # a copy has no hooks left
