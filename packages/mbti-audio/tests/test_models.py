"""Every model: sounds of any length, windows over long ones, and nothing that depends on the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_audio.models import lstm, m5, melcnn, pretrained, resnet, vggvox, xvector
from mbti_audio.models.front import LogMel, mean_of_sound, reduced
from mbti_audio.models.sound_model import SoundModel
from mbti_audio.tones import faded
from mbti_audio.waves import Waves
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.errors import (
    ConfigError,
    DataFormatError,
    DataUnavailableError,
    MissingPluginError,
    NotSupportedError,
)

INPUT = InputSpec((None,), "int16", -32768, 32767)
LENGTHS = [16000, 9000, 400, 3, 0]
FACTORIES: dict[str, Callable[[ModelInfo], nn.Module]] = {
    "m5": m5.m5,
    "melcnn": melcnn.melcnn,
    "lstm": lstm.lstm,
    "attention_rnn": lstm.attention_rnn,
    "xvector": xvector.xvector,
    "vggvox": vggvox.vggvox,
    "resnet18": resnet.resnet18,
}


def info(name: str, rate: int = 16000) -> ModelInfo:
    return ModelInfo(f"audio/{name}", "audio", INPUT, 5, {"rate": rate})


def built(name: str, rate: int = 16000) -> Any:
    with scoped_globals(1):
        return FACTORIES[name](info(name, rate)).eval()


@pytest.fixture(params=FACTORIES)
def model(request: pytest.FixtureRequest) -> Any:
    return built(request.param)


def test_any_length_has_an_answer(model: Any, waves_of: Callable[..., Waves]) -> None:
    with torch.no_grad():
        logits = model(waves_of(LENGTHS))
    assert logits.shape == (5, 5)
    assert bool(logits.isfinite().all())


def test_what_stands_behind_in_the_batch_changes_little(model: Any, waves_of: Callable[..., Waves]) -> None:
    batch = waves_of([16000, 16000])
    with torch.no_grad():
        apart = torch.cat([model(Waves(batch.wave[i : i + 1], batch.lengths[i : i + 1], batch.rate)) for i in range(2)])
        assert torch.allclose(model(batch), apart, atol=1e-4)


def test_gradients_reach_the_waveform(model: Any, waves_of: Callable[..., Waves]) -> None:
    batch = waves_of([16000, 9000])
    wave = batch.wave.clone().requires_grad_()
    model(replace(batch, wave=wave)).sum().backward()
    assert wave.grad is not None
    assert bool((wave.grad[:, :9000] != 0).any(1).all())
    assert bool(wave.grad.isfinite().all())


def test_a_model_made_for_another_rate_refuses(model: Any, waves_of: Callable[..., Waves]) -> None:
    with pytest.raises(NotSupportedError, match=r"sounds of 16000 Hz, and got some of 8000 Hz.*\n.*dataset\.rate"):
        model(waves_of([4000], rate=8000))


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_every_rate_has_a_front_end(rate: int, waves_of: Callable[..., Waves]) -> None:
    with torch.no_grad():
        assert built("melcnn", rate)(waves_of([rate, rate // 3], rate=rate)).isfinite().all()


def test_m5_has_the_published_size_and_length(waves_of: Callable[..., Waves]) -> None:
    net = m5.m5(replace(info("m5"), num_classes=35))
    assert sum(p.numel() for p in net.parameters()) == 26915
    assert isinstance(net, SoundModel)
    layers = net.get_submodule("layers")
    assert layers(torch.zeros(1, 1, 16000)).shape == (1, 64, 3)
    assert layers(torch.zeros(1, 1, 6848)).shape == (1, 64, 1)


class Mean(SoundModel):
    """The mean of a window's samples, twice."""

    def __init__(self, window: float = 1.0) -> None:
        super().__init__(100, window, 2, 2)
        nn.init.eye_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.seen: list[Tensor] = []

    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        self.seen.append(wave)
        mean = wave.sum(1) / lengths.clamp_min(1)
        return torch.stack([mean, mean], 1)


def steps(lengths: list[int]) -> Waves:
    """Sounds whose samples count up from 0 to 1."""
    wave = torch.zeros(len(lengths), max(lengths))
    for row, n in enumerate(lengths):
        wave[row, :n] = torch.linspace(0, 1, n)
    return Waves(wave, torch.tensor(lengths), 100)


def test_a_long_sound_is_the_mean_over_its_windows_by_hand() -> None:
    batch, net = steps([250, 100, 40]), Mean().eval()
    found = net(batch)[:, 0].detach()
    long = batch.wave[0].numpy()
    by_hand = [np.mean([long[:100].mean(), long[75:175].mean(), long[150:250].mean()]), 0.5, 0.5]
    assert np.allclose(found.numpy(), by_hand, atol=1e-6)
    assert [w.shape for w in net.seen] == [(3, 100)] * 3


def test_an_hour_takes_ten_windows() -> None:
    net = Mean().eval()
    net(steps([360_000]))
    assert len(net.seen) == 10


def test_training_hears_another_window_in_every_step_and_none_of_silence() -> None:
    net = Mean().train()
    batch = steps([1000, 130, 40])
    starts = []
    for _ in range(50):
        net(batch)
        wave = net.seen[-1]
        starts.append([int(torch.searchsorted(batch.wave[row, :n], wave[row, 0])) for row, n in ((0, 1000), (1, 130))])
        assert torch.equal(wave[2, :40], batch.wave[2, :40])
    first, second = np.array(starts).T
    assert first.min() < 100 < 800 < first.max() <= 900
    assert second.min() <= 3
    assert 27 <= second.max() <= 30
    assert len(set(first)) > 40
    other = Mean().train()
    other(batch)
    assert torch.equal(other.seen[0], net.seen[0])


def test_where_all_fits_the_window_all_is_heard_at_once() -> None:
    net = Mean(window=3.0).train()
    batch = steps([250, 100])
    net(batch)
    assert torch.equal(net.seen[0], batch.wave)


def test_mel_bands_lie_where_the_tone_is() -> None:
    front = LogMel(16000, 64).eval()
    t = torch.arange(16000) / 16000
    tones = torch.stack([torch.sin(2 * torch.pi * f * t) for f in (300.0, 1000.0, 6000.0)])
    bands, frames = front(tones, torch.full((3,), 16000))
    loudest = bands[:, :, 50].argmax(1).float()
    mel = 2595 * torch.log10(1 + torch.tensor([300.0, 1000.0, 6000.0]) / 700)
    top = 2595 * np.log10(1 + 8000 / 700)
    assert torch.allclose(loudest, mel / top * 65 - 1, atol=1.0)
    assert frames.tolist() == [101] * 3
    assert bands.shape == (3, 64, 101)


def test_a_mean_leaves_out_what_is_no_sound() -> None:
    z = torch.tensor([[[1.0, 3.0, 9.0, 9.0]], [[1.0, 3.0, 5.0, 7.0]]])
    assert mean_of_sound(z, torch.tensor([50, 100]), 100).tolist() == [[2.0], [4.0]]
    assert reduced(torch.tensor([0, 1, 26, 100]), 100, 4).tolist() == [1, 1, 2, 4]


def saved(config: Any, folder: Path) -> Path:
    """Save an untrained model."""
    import transformers

    transformers.utils.logging.disable_progress_bar()  # its bars leave a thread
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


def tiny(kind: str, folder: Path) -> Path:
    """Save an untrained encoder of a family, with two layers of width 16."""
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    convs = {"conv_dim": (8, 8, 8), "conv_kernel": (10, 8, 4), "conv_stride": (5, 4, 2)}
    more = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
    config = getattr(transformers, f"{kind}Config")(**sizes, **convs, **more)
    return saved(config, folder)


@pytest.mark.parametrize(("name", "kind"), [("wav2vec2", "Wav2Vec2"), ("hubert", "Hubert")])
def test_pretrained_encoders_by_folder(name: str, kind: str, tmp_path: Path, waves_of: Callable[..., Waves]) -> None:
    pytest.importorskip("transformers")
    folder = FileRef(tiny(kind, tmp_path))
    with scoped_globals(1):
        net: Any = getattr(pretrained, name)(info(name), path=folder)
    with torch.no_grad():
        logits = net.eval()(waves_of(LENGTHS))
    assert logits.shape == (5, 5)
    assert bool(logits.isfinite().all())
    net.train()(waves_of([16000, 16000])).sum().backward()
    assert all(p.grad is not None for n, p in net.named_parameters() if "masked_spec_embed" not in n)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    saved(config, tmp_path)
    with pytest.raises(DataFormatError, match="expected an encoder of raw sound, found a model of the type bert"):
        pretrained.hubert(info("hubert"), path=FileRef(tmp_path))


def test_pretrained_encoders_ask_for_their_rate_and_their_folder() -> None:
    with pytest.raises(ConfigError, match=r"pretrained on sounds of 16000 Hz.* 44100 Hz\.\n.*dataset\.rate to 16000"):
        pretrained.wav2vec2(info("wav2vec2", 44100))
    pytest.importorskip("transformers")
    with pytest.raises(DataUnavailableError, match="There is no folder 'nowhere'"):
        pretrained.wav2vec2(info("wav2vec2"), path=FileRef("nowhere"))


def test_without_the_library_of_pretrained_models_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(MissingPluginError, match=r"needs the package transformers\.\n.*mbti-audio\[pretrained\]"):
        pretrained.hubert(info("hubert"))


def test_long_sounds_cost_memory_by_the_window() -> None:
    counted: dict[int, int] = {}
    for seconds in (6, 30):
        net, n = built("melcnn"), 16000 * seconds
        batch = Waves(Draws(1).stream("x").normal(torch.arange(2), (n,)) * 0.05, torch.full((2,), n), 16000)
        largest = 0

        def hook(module: Any, inputs: Any, output: Any) -> None:
            nonlocal largest
            largest = max(largest, output.numel())

        for module in net.layers.modules():
            module.register_forward_hook(hook)
        with torch.no_grad():
            net(batch)
        counted[seconds] = largest
    assert counted[6] == counted[30]


def test_what_lies_above_the_rate_that_a_net_hears_is_silence_to_it() -> None:
    rate, lengths = 44100, torch.tensor([44100, 30000])
    time = torch.arange(rate).double() / rate
    low, high = (0.1 * torch.sin(2 * torch.pi * hertz * time).float().expand(2, -1) for hertz in (440, 21000))
    inside = torch.arange(rate) < lengths[:, None]
    high = torch.stack(
        [functional.pad(faded(row[:n], 441), (0, rate - n)) for row, n in zip(high, lengths, strict=True)]
    )
    low = low * inside  # what is behind a sound's end is silent, and a tone that ends at once is a click too
    moved = {}
    for hears in (None, 16000):
        with scoped_globals(1), torch.no_grad():
            net = melcnn.melcnn(info("melcnn", rate), hears=hears).eval()
            was, now = (net.embed(x, lengths) for x in (low, low + high))
        moved[hears] = float((now - was).norm() / was.norm())
    assert moved[None] > 0.03
    assert moved[16000] < 1e-4
