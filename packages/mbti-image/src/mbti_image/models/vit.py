"""Vision transformers of torchvision: the base model, and a tiny one for small pictures."""

from __future__ import annotations

from pydantic import PositiveInt
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.errors import ConfigError
from mbti_image.models.build import image_model, sides
from mbti_image.models.pretrained import Published


def _vit(info: ModelInfo, patch: int, depth: int, heads: int, width: int) -> nn.Module:
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    height, across = sides(info)
    if height != across or height % patch or not height:
        raise ConfigError(
            f"{info.arch} takes square pictures with a side that is a multiple of {patch} pixels, "
            f"got {height} x {across}.",
            f"Set model.resize to a multiple of {patch}.",
        )
    if width % heads:
        raise ConfigError(
            f"{info.arch}: model.width: expected a multiple of the {heads} heads, got {width}.",
            f"Set it to {heads * max(1, width // heads)}.",
        )
    net: nn.Module = models.VisionTransformer(
        image_size=height,
        patch_size=patch,
        num_layers=depth,
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=4 * width,
        num_classes=info.num_classes,
    )
    return net


@image_model(Published("vit_b_16"))
def vit_b_16(info: ModelInfo) -> nn.Module:
    """A ViT-B/16: 12 layers of width 768 on patches of 16 pixels, for square pictures of a multiple of 16 pixels.

    Of 32 pixels it makes four patches: set ``resize`` to 224 for what it was made for, as its ImageNet weights need.

    Source: Dosovitskiy et al. 2021, table 1; the layers are torchvision's.

    Args:
        info: What the model is.
    """
    return _vit(info, patch=16, depth=12, heads=12, width=768)


@image_model()
def vit_tiny(
    info: ModelInfo,
    *,
    patch: PositiveInt = 4,
    depth: PositiveInt = 6,
    heads: PositiveInt = 3,
    width: PositiveInt = 192,
) -> nn.Module:
    """A small vision transformer, for square pictures of a multiple of ``patch`` pixels.

    Source: Dosovitskiy et al. 2021; width and heads of DeiT-Ti (Touvron et al. 2021, table 1); layers of torchvision.
    Deviates: 6 layers in place of 12 and patches of 4 pixels, so that 32 pixels give 64 patches at half the cost.

    Args:
        info: What the model is.
        patch: Side of a patch in pixels.
        depth: Layers of the encoder.
        heads: Attention heads; they divide the width.
        width: Width of a token; the hidden layers of the encoder are four times as wide.
    """
    return _vit(info, patch, depth, heads, width)
