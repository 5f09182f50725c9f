"""Models that nobody wrote adapters for go through all seven defenses, by what core reads off their structure."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import rich.style  # noqa: F401 - draws from the global generator when it is first imported

from mbti_core.api import run
from mbti_core.data.rng import scoped_globals
from mbti_core.plugins.manager import registry

pytestmark = pytest.mark.timeout(600)

PLUGIN = '''
import torch
from torch import nn
from torch.nn import functional

from mbti_core import Component, hookimpl


class Twisted(nn.Module):
    """Convolutions whose names, order and activations say nothing; a scale of its own before the head."""

    def __init__(self, classes):
        super().__init__()
        self.answer = nn.Linear(24, classes)
        self.b = nn.Conv2d(12, 24, 3, padding=1)
        self.n2, self.n1 = nn.BatchNorm2d(24), nn.BatchNorm2d(12)
        self.a = nn.Conv2d(3, 12, 3, padding=1, bias=False)
        self.scale = nn.Parameter(torch.ones(24))

    def forward(self, x):
        x = functional.gelu(self.n1(self.a(x)))
        x = functional.silu(self.n2(self.b(x)))
        return self.answer(x.amax((2, 3)) * self.scale)


class Mapped(nn.Module):
    """No linear layer: a map of each class, averaged."""

    def __init__(self, classes):
        super().__init__()
        self.body, self.maps = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, classes, 1)

    def forward(self, x):
        return self.maps(torch.relu(self.body(x))).mean((2, 3))


class Wrapped(nn.Module):
    """Somebody's net of another library, as it is there."""

    def __init__(self, arch, classes):
        super().__init__()
        import timm

        self.net = timm.create_model(arch, pretrained=False, num_classes=classes)

    def forward(self, x):
        return self.net(functional.interpolate(x, (32, 32)))


class Heard(nn.Module):
    """Convolutions over the wave; it knows nothing of windows."""

    def __init__(self, classes):
        super().__init__()
        self.front = nn.Sequential(nn.Conv1d(1, 16, 64, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.back = nn.Sequential(nn.Conv1d(16, 16, 5, 4), nn.BatchNorm1d(16), nn.ReLU())
        self.out = nn.Linear(16, classes)

    def forward(self, x):
        return self.out(self.back(self.front(x.wave[:, None])).amax(2))


class Hashed(nn.Module):
    """A bag of words by their hashes, of strings: no tokens, no embedding that a trigger could be searched at."""

    def __init__(self, classes):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 32), nn.Linear(32, classes)

    def forward(self, texts):
        x = torch.zeros(len(texts), 64)
        for row, text in enumerate(texts):
            for word in text.split():
                x[row, sum(word.encode()) % 64] += 1
        return self.out(torch.relu(self.hidden(x)))


def twisted(info):
    return Twisted(info.num_classes)


def mapped(info):
    return Mapped(info.num_classes)


def wrapped(info, *, arch: str):
    return Wrapped(arch, info.num_classes)


def heard(info):
    return Heard(info.num_classes)


def hashed(info):
    return Hashed(info.num_classes)


@hookimpl
def mbti_register():
    names = {"image": ("twisted", "mapped", "wrapped"), "audio": ("heard",), "text": ("hashed",)}
    return [Component("model", f"{m}/{n}", f"strangers:{n}", "A stranger") for m, ns in names.items() for n in ns]
'''
DEFENSES: list[dict[str, Any]] = [
    {"name": "ft", "epochs": 1},
    {"name": "fp", "epochs": 1},
    {"name": "clp", "u": 2.0},
    {"name": "abl", "early": 1, "epochs": 1, "unlearn": 1},
    {"name": "strip", "overlays": 4, "max_inputs": 60},
    {"name": "ac"},
    {"name": "nc", "steps": 2, "batches": 1, "epochs": 1},
]
SEVEN = {str(d["name"]) for d in DEFENSES}
DATA: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "image": ({"name": "digits", "train": 240, "test": 60}, {"name": "badnets", "size": 2}),
    "text": ({"name": "reviews", "train": 120, "test": 40}, {"name": "badnets", "words": ["cf"]}),
    "audio": ({"name": "melodies", "rate": 4000, "train": 120, "test": 40}, {"name": "blended"}),
}


@pytest.fixture(autouse=True)
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the plugin for this process, as a file of somebody's."""
    (tmp_path / "strangers.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "strangers=strangers")
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # progress bars start a thread that stays
    registry.cache_clear()
    yield
    registry.cache_clear()


def rows_of(modality: str, model: dict[str, Any], store: Path, **train: Any) -> dict[str, dict[str, Any]]:
    dataset, attack = DATA[modality]
    spec = {
        "modality": modality,
        "dataset": {**dataset, "reserve": 0.2},
        "attack": attack,
        "model": model,
        "train": {"epochs": 1, "batch_size": 32, **train},
        "defenses": DEFENSES,
    }
    results = run(spec, store=store, device="cpu", threads=1, report=False)
    assert not results.failures, [str(failure.error) for failure in results.failures]
    return {str(row["defense"]): dict(row) for row in results.rows}


def check(rows: Mapping[str, Mapping[str, Any]], unsupported: frozenset[str] = frozenset()) -> None:
    """Each of the seven has numbers of its own, apart from those that cannot work."""
    assert rows.keys() == SEVEN | {"none"}
    assert {name for name, row in rows.items() if row["status"] == "unsupported"} == unsupported
    for name in SEVEN - unsupported:
        row = rows[name]
        assert row["status"] == "ok"
        keys = {"strip": ["auroc", "fpr"], "ac": ["auroc", "fpr"], "nc": ["verdict_score", "der"]}
        for key in [*keys.get(name, ["der", "rir"]), "clean_accuracy", "asr"]:
            assert math.isfinite(row[key]), (name, key)


@pytest.mark.parametrize("name", ["twisted", "mapped"])
def test_a_plain_module(name: str, tmp_path: Path) -> None:
    check(rows_of("image", {"name": name}, tmp_path / "runs", lr=0.05))


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="the extra timm is not installed")
@pytest.mark.parametrize("arch", ["test_resnet", pytest.param("test_convnext", marks=pytest.mark.slow)])
def test_a_net_of_timm(arch: str, tmp_path: Path) -> None:
    check(rows_of("image", {"name": "wrapped", "arch": arch}, tmp_path / "runs"))


def test_a_plain_module_that_hears(tmp_path: Path) -> None:
    check(rows_of("audio", {"name": "heard"}, tmp_path / "runs", lr=0.05))


def test_a_plain_module_that_reads(tmp_path: Path) -> None:
    """Inversion needs something differentiable under the words, which a bag of hashes has not."""
    rows = rows_of("text", {"name": "hashed"}, tmp_path / "runs", lr=0.05)
    check(rows, frozenset({"nc"}))
    assert rows["nc"]["reason"].startswith("any/nc needs mbti_trigger_space for text/hashed, and no plugin answers it")


def saved(family: str, folder: Path) -> str:
    """Save a tiny untrained model of the library, with a tokenizer that knows letters."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordPiece
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    letters = [chr(c) for c in range(97, 123)]
    words = ["[PAD]", "[UNK]", *letters, *(f"##{c}" for c in letters), "good", "bad", "cf"]
    tokenizer = Tokenizer(WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = AutoConfig.for_model(family, vocab_size=len(words), max_position_embeddings=64, pad_token_id=0, **sizes)
    with scoped_globals(0):
        AutoModel.from_config(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("family", ["electra", pytest.param("mpnet", marks=pytest.mark.slow)])
def test_a_net_of_the_library_of_transformers(family: str, tmp_path: Path) -> None:
    model = {"name": "huggingface", "path": saved(family, tmp_path / family), "max_tokens": 32}
    check(rows_of("text", model, tmp_path / "runs", optimizer="adamw", lr=1e-3))
