"""Core's own answers to adapter hooks, from the structure of a plain ``nn.Module``; asked last."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe
from mbti_core.plugins.hookspecs import hookimpl

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@hookimpl(trylast=True)
def mbti_feature_layer(model: nn.Module, info: ModelInfo) -> FeatureTap | None:
    """Take the input of the last linear layer as wide as the number of classes, else of the last linear layer."""
    linear = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    heads = [name for name, m in linear if m.out_features == info.num_classes] or [name for name, _ in linear]
    return FeatureTap(heads[-1]) if heads else None


@hookimpl(trylast=True)
def mbti_prunable_layers(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer]:
    """List convolutions, each with a BatchNorm of its width registered right after it; else hidden linear layers."""
    modules = [(n, m) for n, m in model.named_modules() if not list(m.children())]
    layers = []
    for at, (name, module) in enumerate(modules):
        if isinstance(module, _CONVOLUTIONS):
            after_name, after = modules[at + 1] if at + 1 < len(modules) else ("", None)
            paired = isinstance(after, _NORMS) and after.num_features == module.out_channels
            layers.append(PrunableLayer(name, module.out_channels, norm=after_name if paired else None))
    hidden = [(n, m) for n, m in modules if isinstance(m, nn.Linear) and m.out_features != info.num_classes]
    return layers or [PrunableLayer(n, m.out_features) for n, m in hidden]


@hookimpl(trylast=True)
def mbti_input_shape(info: ModelInfo) -> InputSpec:
    """Answer what the data set recorded."""
    return info.input


@hookimpl(trylast=True)
def mbti_embedding_layer(model: nn.Module) -> str | None:
    """Name the first embedding."""
    return next((name for name, m in model.named_modules() if isinstance(m, nn.Embedding)), None)


@hookimpl(trylast=True)
def mbti_head(model: nn.Module, info: ModelInfo) -> Sequence[str] | None:
    """Name the module of the default feature tap."""
    tap = mbti_feature_layer(model, info)
    return [tap.module] if tap else None


@hookimpl(trylast=True)
def mbti_recipe() -> Recipe:
    """Fine-tune by SGD 0.01, momentum 0.9, weight decay 5e-4, cosine."""
    return Recipe()
