"""Where methods take hold of models for sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from mbti_audio.models import lstm, m5, melcnn, resnet, vggvox, xvector
from mbti_audio.structure import recipe
from mbti_audio.waves import Waves
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.plugins.adapters import Adapters
from mbti_core.plugins.manager import registry
from mbti_core.training.pruning import silence

FACTORIES: dict[str, Callable[[ModelInfo], nn.Module]] = {
    "m5": m5.m5,
    "melcnn": melcnn.melcnn,
    "lstm": lstm.lstm,
    "attention_rnn": lstm.attention_rnn,
    "xvector": xvector.xvector,
    "vggvox": vggvox.vggvox,
    "resnet18": resnet.resnet18,
}
PAIRED = {"m5": 4, "melcnn": 4, "attention_rnn": 2, "xvector": 5, "vggvox": 6, "resnet18": 20}


def info(name: str) -> ModelInfo:
    return ModelInfo(f"audio/{name}", "audio", InputSpec((None,), "int16", -32768, 32767), 5, {"rate": 16000})


@pytest.fixture
def adapters() -> Adapters:
    return registry().adapters


@pytest.mark.parametrize("name", PAIRED)
def test_every_convolution_stands_with_the_norm_that_scales_it(name: str, adapters: Adapters) -> None:
    model: Any = FACTORIES[name](info(name))
    found = [layer for layer in adapters.prunable_layers(model, info(name)) if layer.norm]
    assert len(found) == PAIRED[name]
    for layer in found:
        assert model.get_submodule(layer.norm).num_features == layer.units


@pytest.mark.parametrize(("name", "layers"), [("lstm", 2), ("attention_rnn", 4)])
def test_recurrent_units_are_among_them(name: str, layers: int, adapters: Adapters) -> None:
    model: Any = FACTORIES[name](info(name))
    found = [layer for layer in adapters.prunable_layers(model, info(name)) if layer.module == "lstm"]
    assert [layer.units for layer in found] == [model.lstm.hidden_size] * layers


def test_a_silenced_unit_says_nothing_any_more(adapters: Adapters, waves_of: Callable[..., Waves]) -> None:
    model: Any = FACTORIES["lstm"](info("lstm")).eval()
    silence(model, adapters.prunable_layers(model, info("lstm"))[-1], torch.tensor([3]))
    batch = waves_of([16000, 5000])
    with torch.no_grad():
        embedded = model.embed(batch.wave, batch.lengths)
    assert embedded[:, 3].tolist() == [0.0, 0.0]
    assert int((embedded == 0).sum()) == 2


@pytest.mark.parametrize("name", FACTORIES)
def test_features_are_what_the_head_reads(name: str, adapters: Adapters) -> None:
    model: Any = FACTORIES[name](info(name))
    assert adapters.feature_layer(model, info(name)).module == "head"
    assert list(adapters.head(model, info(name))) == ["head"]


def test_a_tensor_is_sound_from_end_to_end(waves_of: Callable[..., Waves]) -> None:
    model, batch = FACTORIES["melcnn"](info("melcnn")).eval(), waves_of([9000, 9000])
    with torch.no_grad():
        assert torch.equal(model(batch.wave), model(batch))


def test_pretrained_and_recurrent_models_have_a_recipe_of_their_own() -> None:
    assert recipe("audio/m5") is None
    small, large = recipe("audio/lstm"), recipe("audio/hubert")
    assert small is not None
    assert large is not None
    assert (small.optimizer, large.optimizer) == ("adam", "adamw")
    assert large.lr < small.lr
