"""Optimizers and schedules, by name."""

from __future__ import annotations

import math

import torch
from torch import nn


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
    if kind == "adam":
        return torch.optim.Adam(parameters, lr, weight_decay=weight_decay)
    return torch.optim.AdamW(parameters, lr, weight_decay=weight_decay)


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
