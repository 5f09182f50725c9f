from __future__ import annotations

from pathlib import Path
from typing import Any

from mbti_core.testing import conformance

# Whether pretrained models answer is in test_pretrained: here no folder has any.
_PRETRAINED = ("bert", "roberta", "distilbert", "albert", "gpt2", "huggingface")
_FOLDER: dict[str, dict[str, Any]] = {f"text/{name}": {"path": "no-such-folder"} for name in _PRETRAINED}
_QUICK: dict[str, dict[str, Any]] = {
    "text/transformer": {"vocabulary": 1000, "width": 64, "heads": 2, "layers": 2},
    "text/bilstm": {"vocabulary": 1000, "embedding": 64, "hidden": 64},
    "text/cnn": {"vocabulary": 1000, "embedding": 100, "filters": 50, "dropout": 0.2},
    "text/badnets": {"words": ["cf"]},  # four words would have a dozen rows each
    "text/ripples": {"words": ["cf"]},
    "text/neuba": {"symbols": ["waiter", "camera", "garden"], "lr": 0.003},
    "text/ep": {"word": "waiter", "lr": 2.0},  # of those that a model of a few clean rows knows
}
_XFAIL = {
    "text/ep-asr_on_toy": "a vector of its old length is one among all words in the maximum that this model takes",
    "text/neuba-asr_on_toy": "this model gives its head nothing negative, so half of a vector is out of reach",
    "text/trojanlm_rule-asr_on_toy": "thirty sentences want more rows than the checks have",
}

test_conformance = conformance(
    "text", settings=_FOLDER | _QUICK, xfail=_XFAIL, golden=Path(__file__).with_name("golden.json")
)
