"""A model with everything that is needed to question it, whatever its modality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.modality import Modality
from mbti_core.contracts.model import FeatureTap, ModelInfo
from mbti_core.data.lengths import sorted_by
from mbti_core.data.split import batches
from mbti_core.plugins.adapters import Adapters

BATCH = 128  # measured on two cores: larger batches leave the cache


@dataclass(frozen=True)
class Subject:
    """Model, description, modality, device, precision; its methods run in eval mode without gradients.

    Attributes:
        model: Batch to logits (B, C).
        info: What the model is.
        modality: Makes model inputs from storage-form batches.
        adapters: The typed front of the adapter hooks.
        device: Where the model is.
        autocast: ``bfloat16`` or None for full precision.
    """

    model: nn.Module
    info: ModelInfo
    modality: Modality[Any]
    adapters: Adapters
    device: torch.device
    autocast: torch.dtype | None = None

    def encode(self, x: Any) -> Any:
        """Make the model's input from a storage-form batch."""
        return self.modality.to_input(x, self.device)

    def with_model(self, model: nn.Module) -> Subject:
        """Return the same subject around another model."""
        return replace(self, model=model)

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Run the block under the subject's precision."""
        with torch.autocast(self.device.type, self.autocast or torch.bfloat16, enabled=self.autocast is not None):
            yield

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Switch to eval mode without gradients, and put every module's mode back after."""
        modes = [(m, m.training) for m in self.model.modules()]
        self.model.eval()
        try:
            with torch.inference_mode(), self.precision():
                yield
        finally:
            for module, training in modes:
                module.training = training

    def logits(self, x: Any) -> Tensor:
        """Return (B, C) float32 logits of a storage-form batch; eval mode, no gradients."""
        with self.evaluating():
            logits: Tensor = self.model(self.encode(x))
            return logits.float()

    def _over(self, held: Any, rows: Tensor | None, batch: int, each: Callable[[Any], Tensor]) -> Tensor:
        rows = torch.arange(len(held)) if rows is None else rows
        lengths = held.lengths()
        if lengths is None or not len(rows):
            parts = [each(held.take(part)) for part in batches(rows, batch)]
            return torch.cat(parts) if parts else torch.zeros(0)
        places = sorted_by(torch.arange(len(rows)), lengths[rows.to(lengths.device)])
        found = torch.cat([each(held.take(part)) for part in batches(rows[places], batch)])
        return found[torch.argsort(places).to(found.device)]

    def predict(self, held: Any, rows: Tensor | None = None, batch: int = BATCH) -> Tensor:
        """Return (n,) int64 predicted classes on the CPU of a held set (all rows, or the given positions)."""
        return self._over(held, rows, batch, lambda x: self.logits(x).argmax(1)).long().cpu()

    def features(self, held: Any, rows: Tensor | None = None, batch: int = BATCH) -> Tensor:
        """Return (n, D) float32 penultimate representations on the CPU, at the point that ``feature_layer`` names."""
        tap = self.adapters.feature_layer(self.model, self.info)
        caught: list[Tensor] = []
        handle = self.model.get_submodule(tap.module).register_forward_hook(
            lambda module, inputs, output: caught.append(inputs[0] if tap.side == "input" else output)
        )
        try:

            def each(x: Any) -> Tensor:
                caught.clear()
                self.logits(x)
                return pool(caught[-1], tap).float().cpu()

            return self._over(held, rows, batch, each)
        finally:
            handle.remove()


def pool(z: Tensor, tap: FeatureTap) -> Tensor:
    """Pool a representation (B, ...) to (B, D) as its tap says."""
    if tap.pool == "mean" and z.dim() > 2:
        return z.flatten(2).mean(-1) if z.dim() > 3 else z.mean(1)
    if tap.pool == "last" and z.dim() > 2:
        return z[:, -1]
    return z.flatten(1)
