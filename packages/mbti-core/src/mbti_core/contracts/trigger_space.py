"""What trigger inversion optimizes over: a differentiable family of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbti_core.data.rng import Draws

Params = Mapping[str, "Tensor"]


class TriggerSpace(Protocol):
    """Triggers on lifted tensors (pixels, waveform, token embeddings)."""

    def lift(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the differentiable form of a model input (B, ...)."""

    def initial(self, draws: Draws) -> Params:
        """Return starting parameters."""

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the lifted batch with the trigger; differentiable in ``params``."""

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C) logits of a lifted batch."""

    def size(self, params: Params) -> Tensor:
        """Return a scalar: how large the trigger is."""
