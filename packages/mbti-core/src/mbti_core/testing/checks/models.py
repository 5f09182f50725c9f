"""Checks of models, with untrained weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.model import PrunableLayer
from mbti_core.data.artifacts import load_tensors, save_tensors
from mbti_core.stages.train import hold
from mbti_core.testing.checks.case import Case, Check, expect
from mbti_core.training.subject import Subject

_BATCH = 7


def _subject(case: Case, seed: int = 0) -> Subject:
    return case.bench.fresh(case.registered, seed)


def _input(case: Case, subject: Subject, n: int = _BATCH) -> tuple[Any, Tensor]:
    """Return a model input of n rows, and their labels."""
    data = hold(case.bench.data.parts["test"], subject.model, subject.device, torch.arange(n))
    return subject.encode(data.x.take(torch.arange(n))), data.y


def logits_shape(case: Case) -> None:
    """``forward`` gives finite floats (B, C), for one row too.

    If this fails: end with a layer of ``info.num_classes`` outputs, without softmax, and keep the batch axis.
    """
    classes = len(case.bench.data.classes)
    for n in (1, _BATCH):
        subject = _subject(case)
        subject.model.eval()
        logits = subject.model(_input(case, subject, n)[0])
        expect(isinstance(logits, Tensor), f"expected a tensor, got {type(logits).__name__}")
        expect(tuple(logits.shape) == (n, classes), f"expected ({n}, {classes}), got {tuple(logits.shape)}")
        expect(logits.is_floating_point() and bool(logits.isfinite().all()), "expected finite floats")


def gradients_flow(case: Case) -> None:
    """Every trainable parameter gets a finite gradient in train mode, and some of each layer's is not zero.

    If this fails: look for detached tensors, unused layers, or activations that are all dead at the start.
    """
    subject = _subject(case)
    subject.model.train()
    x, y = _input(case, subject)
    functional.cross_entropy(subject.model(x).float(), y).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    without = [name for name, p in subject.model.named_parameters() if p.requires_grad and p.grad is None]
    expect(not without, f"no gradient: {', '.join(without)}")
    grads = {name: p.grad for name, p in subject.model.named_parameters() if p.grad is not None}
    expect(bool(grads), "there is no trainable parameter")
    bad = [name for name, g in grads.items() if not bool(g.isfinite().all())]
    expect(not bad, f"gradients that aren't finite: {', '.join(bad)}")
    expect(any(bool(g.any()) for g in grads.values()), "every gradient is zero")


def eval_deterministic(case: Case) -> None:
    """In eval mode a row's logits repeat, and don't depend on the other rows of the batch.

    If this fails: let dropout and normalization follow ``self.training``; normalize over no batch axis in eval mode.
    """
    subject = _subject(case)
    held = hold(case.bench.data.parts["test"], subject.model, subject.device, torch.arange(_BATCH)).x
    whole = subject.logits(held.take(torch.arange(_BATCH)))
    expect(torch.equal(whole, subject.logits(held.take(torch.arange(_BATCH)))), "two calls differ")
    alone = torch.cat([subject.logits(held.take(torch.tensor([row]))) for row in range(_BATCH)])
    apart = float((whole - alone).abs().max())
    expect(torch.allclose(whole, alone, rtol=1e-3, atol=1e-4), f"logits of single rows differ by up to {apart:g}")


def same_seed_same_weights(case: Case) -> None:
    """The train seed alone decides the initial weights.

    If this fails: initialize from torch's global generator only, which the stage seeds.
    """
    one, same, other = (_subject(case, seed).model.state_dict() for seed in (1, 1, 2))
    expect(all(torch.equal(t, same[name]) for name, t in one.items()), "two models of one seed differ")
    expect(any(not torch.equal(t, other[name]) for name, t in one.items()), "two seeds give the same weights")


def safetensors_round_trip(case: Case) -> None:
    """Weights that were saved and loaded into a fresh model give the same logits.

    If this fails: hold everything that ``forward`` reads as a parameter or a buffer, and nothing else.
    """
    subject, fresh = _subject(case, 0), _subject(case, 1)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "weights.safetensors"
        save_tensors(path, subject.model.state_dict())
        fresh.model.load_state_dict(load_tensors(path))
    held = hold(case.bench.data.parts["test"], subject.model, subject.device, torch.arange(_BATCH)).x
    x = held.take(torch.arange(_BATCH))
    expect(torch.equal(subject.logits(x), fresh.logits(x)), "the loaded model answers otherwise")


def feature_tap_is_2d(case: Case) -> None:
    """The feature layer exists and gives (B, D) floats of more than one dimension.

    If this fails: answer ``mbti_feature_layer`` for this model, with the pooling that its representation needs.
    """
    subject = _subject(case)
    held = hold(case.bench.data.parts["test"], subject.model, subject.device, torch.arange(_BATCH)).x
    features = subject.features(held)
    expect(features.dim() == 2 and len(features) == _BATCH, f"expected ({_BATCH}, D), got {tuple(features.shape)}")
    expect(features.shape[1] > 1 and bool(features.isfinite().all()), "expected finite features of several dimensions")


def prunable_layers_exist_or_empty(case: Case) -> None:
    """Each prunable layer exists, has the stated number of units along its axis, and so does its norm.

    If this fails: correct the names in ``mbti_prunable_layers``; an empty list is an answer too.
    """
    subject = _subject(case)
    for layer in subject.adapters.prunable_layers(subject.model, subject.info):
        weight = getattr(_module(subject.model, layer.module), layer.parameters[0])
        whole = layer.parameters == PrunableLayer.parameters and weight.shape[layer.axis] == layer.units * layer.block
        last = layer.first + layer.units * layer.block
        expect(
            whole or (layer.parameters != PrunableLayer.parameters and last <= weight.shape[layer.axis]),
            f"{layer.module}: expected {layer.units} units along axis {layer.axis} of {tuple(weight.shape)}",
        )
        if layer.norm is not None:
            width = getattr(_module(subject.model, layer.norm), "num_features", None)
            expect(width == layer.units, f"{layer.norm}: expected a norm of {layer.units} features, got {width}")


def head_named(case: Case) -> None:
    """The classifier head's modules exist, and hold parameters.

    If this fails: answer ``mbti_head`` with dotted names as in ``named_modules()``.
    """
    subject = _subject(case)
    names = subject.adapters.head(subject.model, subject.info)
    expect(len(names) > 0, "no module is named")
    for name in names:
        expect(any(True for _ in _module(subject.model, name).parameters()), f"{name} has no parameters")


def _module(model: nn.Module, name: str) -> Any:
    try:
        return model.get_submodule(name)
    except AttributeError:
        expect(False, f"there is no module {name!r}")


CHECKS = (
    Check(logits_shape),
    Check(gradients_flow),
    Check(eval_deterministic),
    Check(same_seed_same_weights),
    Check(safetensors_round_trip),
    Check(feature_tap_is_2d),
    Check(prunable_layers_exist_or_empty),
    Check(head_named),
)
