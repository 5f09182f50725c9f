"""Optimizers and schedules, by name."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import Recipe
from mbti_core.engine.config import TrainConfig


def thaw(model: nn.Module) -> None:
    """Make all parameters trainable, in place, if none is: a model that is frozen in part stays so."""
    if not any(p.requires_grad for p in model.parameters()):
        model.requires_grad_(True)


def make_optimizer(
    model: nn.Module, kind: str, lr: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Build an optimizer over the trainable parameters.

    Args:
        model: Whose parameters are trained.
        kind: ``sgd``, ``adam`` or ``adamw``.
        lr: Peak learning rate.
        momentum: For SGD; ignored by the others.
        weight_decay: L2 for SGD and Adam, decoupled for AdamW.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr, momentum, weight_decay=weight_decay, foreach=True)
    # One pass over a parameter in place of ten: with a vocabulary's embedding the others took half of each step.
    if kind == "adam":
        return torch.optim.Adam(parameters, lr, weight_decay=weight_decay, fused=True)
    return torch.optim.AdamW(parameters, lr, weight_decay=weight_decay, fused=True)


def lr_at(schedule: str, step: int, total: int, warmup: float) -> float:
    """Return the factor on the learning rate at a step.

    Args:
        schedule: ``cosine`` and ``linear`` fall to zero at the last step, ``constant`` stays at 1.
        step: From 0 to ``total - 1``.
        total: Number of steps.
        warmup: Share of the steps over which the rate first rises linearly.
    """
    rise = warmup * total
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(1.0, total - rise)
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    return 1.0 - done if schedule == "linear" else 1.0


class _Paced(NamedTuple):
    optimizer: torch.optim.Optimizer
    recipe: Recipe | TrainConfig


class Pace:
    """The optimizers of a training, each with its schedule.

    Args:
        model: The victim.
        config: How it is trained.
        beside: What is trained beside it, if anything.
        recipe: How that is trained; None as the victim. Its epochs and batch size are the victim's.

    Attributes:
        modules: What is trained, by name.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, beside: nn.Module | None, recipe: Recipe | None) -> None:
        self.modules = {"model": model} | ({"beside": beside} if beside is not None else {})
        recipes = {"model": config, "beside": recipe or config}
        self._paced = [
            _Paced(make_optimizer(module, r.optimizer, r.lr, r.momentum, r.weight_decay), r)
            for name, module in self.modules.items()
            for r in (recipes[name],)
        ]

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """One per module, in their order."""
        return [paced.optimizer for paced in self._paced]

    def at(self, step: int, total: int) -> None:
        """Set the learning rates of a step."""
        for optimizer, recipe in self._paced:
            lr = recipe.lr * lr_at(recipe.schedule, step, total, recipe.warmup)
            for group in optimizer.param_groups:
                group["lr"] = lr

    def step(self, loss: Tensor) -> None:
        """Descend along the loss."""
        for optimizer, _ in self._paced:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for optimizer, _ in self._paced:
            optimizer.step()
