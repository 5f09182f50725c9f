"""What a model must answer before anything is asked of it: finite logits for samples of this data set."""

from __future__ import annotations

import torch
from torch import Tensor

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.split import Split, ViewColumn
from mbti_core.errors import ConfigError
from mbti_core.training.subject import Subject

LOOKED_AT = 16  # rows
_ROUNDING = 1e-2  # probabilities of 16 bits sum to 1 only so far


def check_answers(subject: Subject, split: Split[object]) -> None:
    """Ask a model some rows of a split, in eval mode.

    Args:
        subject: The model; it stays as it is.
        split: Samples of the data set that it is meant for; of more than 16 rows, 16 that lie evenly apart.

    Raises:
        ConfigError: If the data set has fewer than 2 classes; if the model cannot take the samples, does not give
            (B, C) numbers, gives NaN or infinity, or gives probabilities.
    """
    info = subject.info
    if info.num_classes < 2:
        raise ConfigError(
            f"Expected a data set of at least 2 classes, got {info.num_classes}.", "Choose data with another class."
        )
    if not len(split):
        return
    rows = torch.linspace(0, len(split) - 1, min(LOOKED_AT, len(split))).round().long()
    _check_logits(_logits(subject, split, rows), info)


def _logits(subject: Subject, split: Split[object], rows: Tensor) -> Tensor:
    info = subject.info
    held = split.modality.hold(ViewColumn(split.column, rows), subject.model, subject.device)
    try:
        return subject.logits(held.take(torch.arange(len(rows))))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        shape = " x ".join("any" if n is None else str(n) for n in info.input.shape)
        raise ConfigError(
            f"{info.arch} cannot take the samples of this data set, {info.input.dtype} of {shape}: {why}",
            "Choose a model for samples of this shape, or give the samples the shape that the model was made for.",
        ) from error


def _check_logits(logits: Tensor, info: ModelInfo) -> None:
    shape = tuple(logits.shape)
    if len(shape) != 2 or shape[1] != info.num_classes:
        raise ConfigError(
            f"{info.arch}: expected logits of shape (rows, {info.num_classes}), got {shape}.",
            "Give the model one output per class.",
        )
    bad = int((~logits.isfinite()).any(1).sum())
    if bad:
        raise ConfigError(
            f"{info.arch}: expected finite logits, got NaN or infinity for {bad} of {len(logits)} rows.",
            "Its training diverged, or its weights are damaged: lower train.lr, or take other weights.",
        )
    if bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() < _ROUNDING).all()):
        raise ConfigError(
            f"{info.arch}: expected logits, got probabilities: {len(logits)} rows of no negative number that sum to 1.",
            "Leave out the softmax at the model's end; log-probabilities are fine.",
        )
