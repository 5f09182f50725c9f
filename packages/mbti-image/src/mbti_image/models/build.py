"""What surrounds a network: normalization and resizing before it, weights from outside into it."""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.errors import ConfigError
from mbti_image.models.normalize import Channels, Normalize
from mbti_image.models.pretrained import IMAGENET_NAMES, ImageNet, Published, load_pretrained

SMALL = 64
"""Pixels of the longer side up to which a picture counts as small."""

CIFAR10: tuple[Channels, Channels] = ((0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261))
IMAGENET: tuple[Channels, Channels] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES: tuple[Channels, Channels] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and deviation of each channel, on the [0, 1] scale."""

Stem = Literal["auto", "small", "imagenet"]
"""``small`` keeps early layers from shrinking the picture; ``auto`` takes it for pictures of at most 64 pixels."""

Net = Callable[..., nn.Module]
# Goes to the end of the docstring of each factory, which its page in the reference is made from.
_SHARED = """
        resize: Side in pixels that pictures are resized to inside the model; None leaves them as they are.
        pretrained: A file of weights, a folder that holds one{named}; None starts from scratch.
            A classifier of another number of classes is left out.
        mean: Of each channel, on the [0, 1] scale; None takes CIFAR-10's{usual}.
        std: Deviation of each channel, as ``mean``.
    """


class Resize(nn.Module):
    """Bilinear resizing inside the model: gradients reach down to the pixels of the stored picture.

    Shape: (B, 3, H, W) to (B, 3, side, side).
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """Return the resized batch; smaller pictures are averaged over what a pixel covers."""
        return functional.interpolate(x, (self.side, self.side), mode="bilinear", antialias=True)


def image_model(
    published: Published | None = None, imagenet: tuple[Channels, Channels] = IMAGENET
) -> Callable[[Net], Net]:
    """Make a model factory of a function that builds a bare network, with the settings that all of them share.

    Args:
        published: Where the network's ImageNet weights are; None if nobody publishes any.
        imagenet: Mean and deviation that those weights were trained with.
    """

    def decorate(build: Net) -> Net:
        @functools.wraps(build)
        def factory(
            info: ModelInfo,
            *,
            resize: int | None = None,
            pretrained: str | None = None,
            mean: Channels | None = None,
            std: Channels | None = None,
            **own: Any,
        ) -> nn.Module:
            net = build(_inside(info, resize), **own)
            usual = imagenet if pretrained in IMAGENET_NAMES else CIFAR10
            layers: dict[str, nn.Module] = {"normalize": Normalize(mean or usual[0], std or usual[1])}
            layers |= {} if resize is None else {"resize": Resize(resize)}
            model = nn.Sequential(OrderedDict(layers, net=net))
            if pretrained is not None:
                load_pretrained(model, pretrained, published, info)
            return model

        return _with_settings(factory, build, published)

    return decorate


def _with_settings(factory: Net, build: Net, published: Published | None) -> Net:
    """Show the settings of a factory and of the function inside as one signature, which core makes a class of."""
    shared: dict[str, Any] = {
        "resize": PositiveInt | None,
        "pretrained": (ImageNet | FileRef if published else FileRef) | None,
        "mean": Channels | None,
        "std": Channels | None,
    }
    keywords = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in shared]
    inner = inspect.signature(build)
    factory.__signature__ = inner.replace(parameters=[*inner.parameters.values(), *keywords])  # type: ignore[attr-defined]  # inspect reads it
    named = (
        (", or the name of torchvision's ImageNet weights", ", with ImageNet weights theirs") if published else ("", "")
    )
    factory.__doc__ = (build.__doc__ or "").rstrip() + _SHARED.format(named=named[0], usual=named[1])
    factory.__annotations__ = {**inspect.get_annotations(build, eval_str=True), **shared}
    return factory


def _inside(info: ModelInfo, resize: int | None) -> ModelInfo:
    """Return what the network inside gets to see of its input."""
    if resize is None:
        return info
    return replace(info, input=replace(info.input, shape=(*info.input.shape[:1], resize, resize)))


def sides(info: ModelInfo) -> tuple[int, int]:
    """Return height and width of a model's input."""
    height, width = (side or 0 for side in info.input.shape[1:])
    return height, width


def small(info: ModelInfo, stem: Stem) -> bool:
    """Tell whether the network gets its stem for small pictures."""
    return max(sides(info)) <= SMALL if stem == "auto" else stem == "small"


def at_least(info: ModelInfo, side: int) -> None:
    """Refuse pictures of which the layers of a network would leave nothing.

    Raises:
        ConfigError: If a side is shorter.
    """
    height, width = sides(info)
    if min(height, width) < side:
        raise ConfigError(
            f"{info.arch} with this stem takes pictures of at least {side} x {side} pixels, got {height} x {width}.",
            f"Set model.resize to {side} or more, or model.stem to small.",
        )


def full_size(net: nn.Module, *names: str) -> None:
    """Let layers keep the size of their input: a convolution gets stride 1, a pool is left out."""
    for name in names:
        layer = net.get_submodule(name)
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        else:
            net.set_submodule(name, nn.Identity())
