"""What an attacker does with a clean model of its own: ask what it hears, and go along its gradient."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from mbti_audio.waves import Waves
from mbti_core.contracts.attack import FitContext
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.training.subject import Subject

BATCH = 64


def surrogate_of(ctx: FitContext) -> Subject:
    """Return the benign twin that an attack with the trait ``surrogate`` is given."""
    assert ctx.surrogate is not None
    return ctx.surrogate


def entropies(surrogate: Subject, x: Waves) -> Tensor:
    """Return (B,) float64 on the CPU: how unsure the surrogate is of each sound, in bits."""
    parts = [surrogate.logits(part).double().cpu() for part in _batches(x)]
    p = torch.cat(parts).softmax(1).clamp_min(1e-12)
    return -(p * p.log2()).sum(1)


def losses(surrogate: Subject, x: Waves, target: int) -> Tensor:
    """Return the cross-entropy (B,) of sounds on the surrogate's device under one class, differentiable in them."""
    # cuDNN refuses to go back through a recurrent net in eval mode.
    with torch.backends.cudnn.flags(enabled=False), surrogate.precision():
        logits = surrogate.model(x).float()
    return functional.cross_entropy(
        logits, logits.new_full((len(logits),), target, dtype=torch.int64), reduction="none"
    )


def drawn(split: Split[Waves], target: int, steps: int, ctx: FitContext) -> Iterator[tuple[Waves, Tensor]]:
    """Yield ``steps`` batches of 64 rows that are not of the class ``target``, on the device, and their ids.

    Raises:
        ConfigError: If every row is of the target class.
    """
    rows = torch.nonzero(split.labels != target).flatten()
    if not len(rows):
        raise ConfigError(
            f"attack.target: every training row is of class {target}, and the attack learns from others.",
            "Train on several classes.",
        )
    for picks in ctx.draws.stream("batches").integers(torch.arange(steps), len(rows), (BATCH,)):
        at = rows[picks]
        yield surrogate_of(ctx).encode(split.take(at)), split.index[at]


def _batches(x: Waves) -> Iterator[Waves]:
    for at in range(0, len(x), BATCH):
        yield Waves(x.wave[at : at + BATCH], x.lengths[at : at + BATCH], x.rate)
