"""The net that makes a trigger from the picture it goes on, and how its rows are computed and stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_image.modality import to_float
from mbti_image.sample import Image, size_of

_MEAN = 0.5
DEVIATION = 0.25
"""About that of a channel of photographs, on the [0, 1] scale; what published losses measure pictures in."""
_BLOCK = 32
_SMALLEST = 16


class Generator(nn.Module):
    """An encoder and decoder of 3 x 3 convolutions with BatchNorm: three halvings, three enlargements, added skips.

    Shape: (B, 3, H, W) in [0, 1] to (B, ``channels``, H, W), unbounded float32; H and W at least 8.
    Source: Nguyen and Tran 2020, appendix (generator for CIFAR-10; 32 channels there).

    Args:
        channels: Of the output.
        width: Channels of the first level; the two below it have 2 and 4 times as many.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [
                _convolutions(3, width, width),
                _convolutions(width, 2 * width, 2 * width),
                _convolutions(2 * width, 4 * width, 4 * width),
            ]
        )
        self.middle = _convolutions(4 * width, 4 * width)
        self.up = nn.ModuleList(
            [
                _convolutions(4 * width, 4 * width, 2 * width),
                _convolutions(2 * width, 2 * width, width),
                _convolutions(width, width),
            ]
        )
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the net's raw answer."""
        x = (x - _MEAN) / DEVIATION
        seen = []
        for layers in self.down:
            seen.append(layers(x))
            x = functional.max_pool2d(seen[-1], 2)
        x = self.middle(x)
        for layers, skipped in zip(self.up, reversed(seen), strict=True):
            x = functional.interpolate(x, size=skipped.shape[-2:], mode="bilinear")
            x = layers(x + skipped)
        answer: Tensor = self.last(x)
        return answer.float()


def _convolutions(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after, momentum=0.05),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def check_size(split: Split[Image]) -> None:
    """Refuse pictures that three halvings leave nothing of.

    Raises:
        ConfigError: If a side has fewer than 16 pixels.
    """
    height, width = size_of(split)
    if min(height, width) < _SMALLEST:
        raise ConfigError(
            f"attack: the net that makes the trigger needs pictures of at least {_SMALLEST} pixels a side, got "
            f"{height} x {width}.",
            "Choose an attack by formula, such as badnets or wanet, or enlarge the pictures.",
        )


def fresh_generator(channels: int, width: int, device: torch.device) -> Generator:
    """Return an untrained net on a device; its weights come from torch's global generator."""
    return Generator(channels, width).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # torch's stubs lack this keyword


def kept_generator(channels: int, width: int, state: Mapping[str, Tensor], prefix: str) -> Callable[[Tensor], Tensor]:
    """Return the frozen net in eval form whose tensors stand in ``state`` under ``prefix``; no weight is drawn."""
    own = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
    return lambda x: functional_call(_blank(channels, width), own, (x,))


@cache
def _blank(channels: int, width: int) -> Generator:
    with torch.device("meta"):  # building a net takes longer than running it on a few rows
        return Generator(channels, width).eval()


def answers(net: Callable[[Tensor], Tensor], x: Image) -> Tensor:
    """Return what a net says of stored pictures (B, ...), for each row independently of its batch.

    Blocks have one size, the last one is filled up: a convolution rounds otherwise in batches of another size.

    Args:
        net: In eval form; takes (B, 3, H, W) in [0, 1].
        x: uint8 (B, 3, H, W).
    """
    made = []
    with torch.no_grad():
        for start in range(0, max(1, len(x)), _BLOCK):
            rows = x[start : start + _BLOCK]
            block = torch.cat([rows, rows.new_zeros((_BLOCK - len(rows), *x.shape[1:]))])
            made.append(net(to_float(block))[: len(rows)])
    return torch.cat(made)


def rounded(x: Tensor) -> Tensor:
    """Return pictures in [0, 1] clipped and on the levels that a file holds; gradients pass the rounding unchanged."""
    clipped = x.clamp(0, 1)
    return clipped + ((clipped * 255).round() / 255 - clipped).detach()


def to_bytes(x: Tensor) -> Image:
    """Return pictures in [0, 1] as they are stored: clipped, rounded, uint8."""
    return (x * 255).round_().clamp_(0, 255).to(torch.uint8)
