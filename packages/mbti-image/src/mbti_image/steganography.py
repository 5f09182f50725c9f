"""Two nets that hide bits in a picture and read them again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_PLANE = 16
_MIDDLE = 0.5


class Hider(nn.Module):
    """A U-Net that answers with what to add to a picture so that it carries a message.

    Five levels, each half the size of the one before; skips are joined at whatever size they have, so sides need not be
    multiples of 16.

    Shape: pictures (B, 3, H, W) in [0, 1] and messages (B or 1, ``bits``) of 0 and 1, to (B, 3, H, W), unbounded.
    Source: StegaStamp's encoder (Tancik, Mildenhall, Ng 2020), as public code of Li et al. 2021 has it.

    Args:
        bits: Length of a message.
        width: Channels of the first level (32 there); those below have 1, 2, 4 and 8 times as many.
    """

    def __init__(self, bits: int, width: int) -> None:
        super().__init__()
        levels = [width, width, 2 * width, 4 * width, 8 * width]
        self.message = nn.Linear(bits, 3 * _PLANE * _PLANE)
        self.first = nn.Conv2d(6, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(levels))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 2) for a, b in reversed(list(pairwise(levels))))
        joined = [2 * channels for channels in reversed(levels[1:-1])] + [2 * width + 6]
        self.join = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(joined, reversed(levels[:-1]), strict=True)
        )
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.residual = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor, message: Tensor) -> Tensor:
        """Return the residual."""
        plane = functional.relu(self.message(message)).view(-1, 3, _PLANE, _PLANE)
        plane = functional.interpolate(plane, size=x.shape[-2:], mode="nearest").expand(len(x), -1, -1, -1)
        inputs = torch.cat([plane, x - _MIDDLE], 1)  # (B, 6, H, W)
        skips = [functional.relu(self.first(inputs))]
        for layer in self.down:
            skips.append(functional.relu(layer(skips[-1])))
        y = skips.pop()
        for enlarge, join in zip(self.up, self.join, strict=True):
            skip = skips.pop()
            y = functional.interpolate(y, size=skip.shape[-2:], mode="nearest")
            y = functional.relu(enlarge(functional.pad(y, (0, 1, 0, 1))))
            y = functional.relu(join(torch.cat([y, skip] if skips else [y, skip, inputs], 1)))
        residual: Tensor = self.residual(functional.relu(self.last(y)))
        return residual


class Reader(nn.Module):
    """Convolutions, then two dense layers: what the message of a picture is.

    Shape: (B, 3, H, W) in [0, 1] to logits (B, ``bits``).
    Source: as ``Hider``, the decoder.

    Args:
        bits: Length of a message.
        width: Channels of the first level; 32 in the source.
        height: Of the pictures.
        breadth: Width of the pictures.
    """

    def __init__(self, bits: int, width: int, height: int, breadth: int) -> None:
        super().__init__()
        levels = [(3, 1, 2), (1, 1, 1), (1, 2, 2), (2, 2, 1), (2, 2, 2), (2, 4, 2), (4, 4, 2)]
        self.layers = nn.ModuleList(
            nn.Conv2d(3 if at == 0 else a * width, b * width, 3, stride=stride, padding=1)
            for at, (a, b, stride) in enumerate(levels)
        )
        cells = -(-height // 32) * -(-breadth // 32)
        self.dense = nn.Linear(4 * width * cells, 16 * width)
        self.bits = nn.Linear(16 * width, bits)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the bits."""
        y = x - _MIDDLE
        for layer in self.layers:
            y = functional.relu(layer(y))
        logits: Tensor = self.bits(functional.relu(self.dense(y.flatten(1))))
        return logits


def fresh(net: nn.Module, device: torch.device) -> nn.Module:
    """Return a net on a device, its convolutions initialized for ReLUs from torch's global generator."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # torch's stubs lack this keyword


def kept_hider(bits: int, width: int, state: Mapping[str, Tensor], prefix: str) -> Hider:
    """Return the frozen net whose tensors stand in ``state`` under ``prefix``; no weight is drawn."""
    with torch.device("meta"):
        net = Hider(bits, width)
    own = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
    net.load_state_dict(own, assign=True)
    return net.requires_grad_(False).eval()
