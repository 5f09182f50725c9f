"""The first layer of every image model: from [0, 1] to standardized channels."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

Channels = tuple[float, float, float]


class Normalize(nn.Module):
    """Subtract each channel's mean and divide by its deviation, inside the model: gradients reach down to pixels.

    Shape: (B, 3, H, W) in [0, 1] to (B, 3, H, W).
    """

    def __init__(self, mean: Channels, std: Channels) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the standardized batch."""
        return (x - cast(Tensor, self.mean)) / cast(Tensor, self.std)
