"""Units of text models: a silent head, neuron or recurrent unit says nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.rng import scoped_globals
from mbti_core.plugins.manager import Registry
from mbti_core.training.pruning import silence
from mbti_text.models.bilstm import bilstm
from mbti_text.models.textcnn import cnn
from mbti_text.sample import INPUT
from mbti_text.structure import prunable_layers, recipe

INFO = ModelInfo("text/bilstm", "text", INPUT, 2)
SIZES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24},
    "roberta": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24},
    "albert": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 24,
        "embedding_size": 8,
    },
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 4},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_inner": 24},
}


class Holder(nn.Module):
    """What a wrapped model of the library looks like to the hook."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


def built(family: str) -> Holder:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model(family, vocab_size=50, **SIZES[family])
    with scoped_globals(0):
        return Holder(AutoModelForSequenceClassification.from_config(config).eval())


@pytest.mark.parametrize("family", list(SIZES))
def test_heads_and_neurons_are_found_in_every_layer(family: str) -> None:
    found = prunable_layers(built(family))
    layers = 1 if family == "albert" else 2  # its layers share their weights
    assert sorted(layer.units for layer in found) == [4] * layers + [24] * layers
    assert {layer.block for layer in found if layer.units == 4} == {4}


@pytest.mark.parametrize("family", list(SIZES))
def test_a_silent_unit_says_nothing(family: str) -> None:
    model = built(family)
    heads, neurons = (next(layer for layer in prunable_layers(model) if layer.units == n) for n in (4, 24))
    mixing, middle = model.get_submodule(heads.module), model.get_submodule(neurons.module)
    silence(model, heads, torch.tensor([2]))
    silence(model, neurons, torch.tensor([5, 7]))
    with scoped_globals(1):
        x, y = torch.randn(3, 16), torch.randn(3, 16)
    y[:, :8], y[:, 12:] = x[:, :8], x[:, 12:]  # another answer of the third head alone
    assert torch.equal(mixing(x), mixing(y))
    hidden: Tensor = middle(x)
    assert not hidden[:, [5, 7]].any()
    assert hidden[:, [4, 6, 8]].all()


def test_recurrent_units_and_filters() -> None:
    with scoped_globals(0):
        lstm, conv = bilstm(INFO, embedding=6, hidden=5), cnn(INFO, embedding=6, filters=7)
    assert [(layer.module, layer.units) for layer in prunable_layers(lstm)] == [("lstm", 5)] * 4
    assert [(layer.module, layer.units) for layer in prunable_layers(conv)] == [(f"convs.{n}", 7) for n in range(3)]
    last = prunable_layers(lstm)[-1]
    assert last.parameters[0] == "weight_ih_l1_reverse"
    silence(lstm, last, torch.tensor([3]))
    inner = lstm.get_submodule("lstm")
    assert isinstance(inner, nn.LSTM)
    with scoped_globals(1):
        answers = inner.eval()(torch.randn(2, 4, 6))[0]
    assert not answers[..., 5 + 3].any()
    assert answers[..., 3].all()


def test_the_hooks_answer_for_texts_alone() -> None:
    adapters = Registry().adapters
    with scoped_globals(0):
        model = cnn(INFO, embedding=6, filters=7)
    assert len(adapters.prunable_layers(model, INFO)) == 3
    assert adapters.recipe(INFO) == recipe("text/bilstm")
    assert recipe("text/bert").optimizer == "adamw"


def test_a_stranger_is_left_to_core() -> None:
    """Names as the library's, without its description: how many heads there are is not known."""
    model = nn.Sequential()
    model.add_module("attention", nn.Sequential())
    model.attention.add_module("output", nn.ModuleDict({"dense": nn.Linear(8, 8)}))  # type: ignore[operator, union-attr]  # a module's modules
    model.add_module("out", nn.Linear(8, 2))
    assert prunable_layers(model) == []
    (layer,) = Registry().adapters.prunable_layers(model, ModelInfo("text/strange", "text", INPUT, 2))
    assert (layer.module, layer.units) == ("attention.output.dense", 8)
