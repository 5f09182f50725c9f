"""A small net that learns fast: a whitening first layer, then three pairs of convolutions."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from mbti_core.contracts.model import ModelInfo

_PATCH = 2
_WHITE = 2 * 3 * _PATCH**2  # each direction of a patch, and its opposite
_WIDTHS = (64, 256, 256)
_EPS = 5e-4
_SEEN = 1000  # pictures; a covariance of 12 x 12 needs no more


class Fast(nn.Sequential):
    """Whitened patches, three blocks of two convolutions, the largest answer of each channel, a scaled linear layer.

    Shape: (B, 3, H, W) in [0, 1] to (B, C); H and W of 16 pixels or more.
    """

    def __init__(self, classes: int, widths: tuple[int, ...]) -> None:
        white = nn.Conv2d(3, _WHITE, _PATCH)
        white.weight.requires_grad = False
        layers: list[tuple[str, nn.Module]] = [("white", white), ("act", nn.ReLU())]
        last = _WHITE
        for number, width in enumerate(widths, 1):
            layers.append((f"block{number}", _block(last, width)))
            last = width
        head = nn.Linear(last, classes, bias=False)
        layers += [
            ("pool", nn.AdaptiveMaxPool2d(1)),
            ("flatten", nn.Flatten()),
            ("head", head),
            ("scale", Scale(1 / 9)),
        ]
        super().__init__(OrderedDict(layers))

    def start_from(self, inputs: Tensor) -> None:
        """Whiten 2 x 2 patches: set the first layer to the directions of their covariance, at equal variance.

        Args:
            inputs: (N, 3, H, W) in [0, 1].
        """
        patches = inputs[:_SEEN].double().unfold(2, _PATCH, 1).unfold(3, _PATCH, 1)  # (N, 3, H-1, W-1, 2, 2)
        flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, _WHITE // 2)
        mean = flat.mean(0)
        flat = flat - mean
        values, directions = torch.linalg.eigh(flat.T @ flat / len(flat))
        weight = (directions / (values + _EPS).sqrt()).T  # one row per direction
        weight = torch.cat([weight, -weight]).to(inputs.dtype)
        white = self.get_submodule("white")
        assert isinstance(white, nn.Conv2d)
        assert white.bias is not None
        white.weight.copy_(weight.view(_WHITE, 3, _PATCH, _PATCH))
        white.bias.copy_(-weight @ mean.to(inputs.dtype))


class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return ``factor * x``."""
        return x * self.factor


def _block(inputs: int, outputs: int) -> nn.Sequential:
    first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
    for conv in (first, second):
        nn.init.dirac_(conv.weight[: conv.in_channels])  # hands its inputs on, so that depth costs no start
    return nn.Sequential(
        OrderedDict(
            conv1=first,
            pool=nn.MaxPool2d(2),
            norm1=nn.BatchNorm2d(outputs),
            act1=nn.ReLU(),
            conv2=second,
            norm2=nn.BatchNorm2d(outputs),
            act2=nn.ReLU(),
        )
    )


def fast(info: ModelInfo, *, width: Annotated[float, Field(gt=0.0, le=4.0)] = 1.0) -> nn.Module:
    """A net for short trainings on a processor; core hands it training inputs before the first step.

    Its recipe: SGD, batches of 256, learning rate 0.4 with a warm-up over a fifth of the steps, then falling linearly
    to zero, label smoothing 0.2, and crops from half the usual border (``train.augment: 0.5``).

    Source: Jordan 2024, section 3: whitening layer, identity start, block structure, scaled logits.
    Deviates: ReLU and plain BatchNorm in place of GELU and a norm without scale, so that pruning defenses find what
    they know; plain SGD, without lookahead and averaging at test time.

    Args:
        info: What the model is; ``num_classes`` sets the width of the logits.
        width: Factor on the number of channels; 1 gives 64, 256, 256.
    """
    return Fast(info.num_classes, tuple(max(8, round(width * w)) for w in _WIDTHS))
