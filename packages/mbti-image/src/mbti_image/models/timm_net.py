"""Any classifier of the timm collection."""

from __future__ import annotations

from torch import Tensor, nn, no_grad, zeros

from mbti_core.contracts.model import ModelInfo
from mbti_core.errors import ConfigError, MissingPluginError, near_names
from mbti_image.models.build import image_model, sides


@image_model()
def timm(info: ModelInfo, *, arch: str = "resnet18d") -> nn.Module:
    """A classifier that timm builds, by its name there, with the layers that it has there.

    Nothing is fitted to small pictures: set ``resize`` to the size that the architecture was made for.

    Source: Wightman, PyTorch Image Models.

    Args:
        info: What the model is.
        arch: Its name in timm, e.g. ``resnet18d`` or ``convnext_atto``.
    """
    try:
        import timm as collection  # noqa: PLC0415 - six seconds, and an extra
    except ImportError as error:
        raise MissingPluginError(
            f"The model {info.arch!r} needs the package timm.", 'pip install "mbti-image[timm]"'
        ) from error

    known = collection.list_models()
    if arch not in known:
        raise ConfigError(
            f"timm knows no architecture {arch!r}.",
            f"{near_names(arch, known)} 'timm.list_models()' names all that it has.".strip(),
        )
    net: nn.Module = collection.create_model(arch, pretrained=False, num_classes=info.num_classes)
    _try(net, arch, info)
    return net


def _try(net: nn.Module, arch: str, info: ModelInfo) -> None:
    """Refuse a size that the architecture cannot take: only a forward pass tells."""
    height, width = sides(info)
    made_for = "{1} x {2}".format(*net.default_cfg["input_size"])  # type: ignore[index]  # timm puts a mapping there
    try:
        with no_grad():
            logits: Tensor = net.eval()(zeros(1, 3, height, width))
        fits = tuple(logits.shape) == (1, info.num_classes)
    except (RuntimeError, AssertionError, ValueError):
        fits = False
    net.train()
    if not fits:
        raise ConfigError(
            f"timm's {arch} takes pictures of {made_for} pixels, not of {height} x {width}.",
            f"Set model.resize to {made_for.split()[0]}.",
        )
