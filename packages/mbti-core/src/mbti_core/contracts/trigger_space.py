"""What trigger inversion optimizes over: a differentiable family of triggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbti_core.data.rng import Draws

Params = Mapping[str, "Tensor"]
Family = Literal["mask", "additive", "front"]
"""``mask`` replaces a part of the input by a pattern, ``front`` a part of what a model's fixed first layer makes of it;
``additive`` changes all of the input by a bounded amount."""


class TriggerSpace(Protocol):
    """Triggers on lifted tensors (pixels, waveform, token embeddings).

    Parameters of one trigger have no batch axis. Stacked ones (K, 1, ...) give (K, B, ...) triggered samples and (K, 1)
    sizes: a method that looks for a trigger of each class takes them all in one step.
    """

    def lift(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the differentiable form of a model input (B, ...)."""

    def initial(self, draws: Draws) -> Params:
        """Return starting parameters."""

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the lifted batch with the trigger; differentiable in ``params``."""

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C) logits of a lifted batch (B, ...)."""

    def size(self, params: Params) -> Tensor:
        """Return how large the trigger is, a scalar."""

    def discrete(self, params: Params) -> Sequence[Params]:
        """Return triggers near one that an input can hold, the nearest first; itself alone, where inputs hold any."""

    def shown(self, model: nn.Module, params: Params) -> Any:
        """Return the trigger of one set of parameters alone, as a person sees it: a batch of one in storage form."""
