"""Core's own answers to adapter hooks, from the structure of a plain ``nn.Module``; asked last."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe
from mbti_core.plugins.dataflow import Flow, trace
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.recurrent import recurrent_layers

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@hookimpl(trylast=True)
def mbti_feature_layer(model: nn.Module, info: ModelInfo) -> FeatureTap | None:
    """Take the input of the last linear layer as wide as the number of classes, else of the last linear layer.

    Of a model that ends with a convolution, take that one's input, averaged over places.
    """
    if last := _head_convolution(model, info):
        return FeatureTap(last, pool="mean")
    linear = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    heads = [name for name, m in linear if m.out_features == info.num_classes] or [name for name, _ in linear]
    return FeatureTap(heads[-1]) if heads else None


def _head_convolution(model: nn.Module, info: ModelInfo) -> str | None:
    """Name the last convolution, over two or three axes, if it gives the classes and no linear layer does."""
    if any(isinstance(m, nn.Linear) and m.out_features == info.num_classes for m in model.modules()):
        return None
    last = [(name, m) for name, m in model.named_modules() if isinstance(m, _CONVOLUTIONS[1:])][-1:]
    return next((name for name, m in last if m.out_channels == info.num_classes), None)


@hookimpl(trylast=True)
def mbti_prunable_layers(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer]:
    """List convolutions in the order of their calls, each with the BatchNorm that alone reads it; see ``_by_flow``.

    The units of LSTMs come behind; where there are some, hidden linear layers are left out.
    """
    flow = trace(model, info.input, (*_CONVOLUTIONS, *_NORMS, nn.Linear))
    layers = _in_registration_order(model, info) if flow is None else _by_flow(model, info, flow)
    recurrent = [layer for name, m in model.named_modules() for layer in recurrent_layers(name, m)]
    if recurrent:
        layers = [layer for layer in layers if not isinstance(model.get_submodule(layer.module), nn.Linear)]
    return [*layers, *recurrent]


def _by_flow(model: nn.Module, info: ModelInfo, flow: Flow) -> Sequence[PrunableLayer]:
    """List what a pass through the model shows to hold units.

    That is the first layer of each MLP where the model attends, and convolutions with a BatchNorm of their own beside
    it; else convolutions, else hidden linear layers. A layer whose output only scales another one's is left out:
    without its unit the gate stands half open.
    """
    modules = {name: model.get_submodule(name) for name in flow.order}
    hidden = [n for n, m in modules.items() if isinstance(m, nn.Linear) and m.out_features != info.num_classes]
    inner = [n for n in hidden if any(flow.feeds(n, other) for other in hidden)] if flow.attends else []
    head = _head_convolution(model, info)
    convolutions = [n for n, m in modules.items() if isinstance(m, _CONVOLUTIONS) and n != head]
    norms = [n for n, m in modules.items() if isinstance(m, _NORMS)]
    layers = []
    for name in [n for n in modules if n in inner or n in convolutions] or hidden:
        norm = next((n for n in norms if flow.reads_alone(n, name)), None)
        if not flow.gates(name) and (name in inner or norm or not inner):
            layers.append(PrunableLayer(name, len(model.get_parameter(f"{name}.weight")), norm=norm))
    return layers


def _in_registration_order(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer]:
    """List convolutions, each with a BatchNorm of its width registered right after it; else hidden linear layers."""
    head = _head_convolution(model, info)
    modules = [(n, m) for n, m in model.named_modules() if not list(m.children()) and n != head]
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
