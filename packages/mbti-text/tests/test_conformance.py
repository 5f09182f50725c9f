from __future__ import annotations

from mbti_core.testing import conformance

# Whether pretrained models answer is in test_pretrained: here no folder has any.
_FOLDER = {
    f"text/{name}": {"path": "no-such-folder"} for name in ("bert", "roberta", "distilbert", "albert", "gpt2", "auto")
}
_SMALL = {
    "text/transformer": {"vocabulary": 1000, "width": 32, "heads": 2, "layers": 2},
    "text/bilstm": {"vocabulary": 1000, "embedding": 32, "hidden": 32},
    "text/cnn": {"vocabulary": 1000, "embedding": 32, "filters": 16},
}

test_conformance = conformance("text", settings=_FOLDER | _SMALL)
