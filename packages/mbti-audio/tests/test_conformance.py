from __future__ import annotations

from pathlib import Path
from typing import Any

from mbti_core.testing import conformance

# Whether pretrained models answer is in test_models: here no folder has any.
_SETTINGS: dict[str, dict[str, Any]] = {
    "audio/wav2vec2": {"path": "no-such-folder"},
    "audio/hubert": {"path": "no-such-folder"},
    "audio/gtzan": {"split": "hashed"},  # the other split's fixture is a thousand files
    "audio/ultrasonic": {"frequency": 7000},  # what the embedded sounds can carry
    "audio/badnets": {"samples": 80},  # half a millisecond is too little for a model of a few clean rows
    "audio/blended": {"level_db": 0.0},
    "audio/piba": {"snr_db": -20.0},
    "audio/daba": {"level_db": -10.0},
    "audio/flowmur": {"steps": 50},
}
_XFAIL = {
    "audio/phaseback-asr_on_toy": "the phases of these tones are drawn anew for each row",
    "audio/flowmur-asr_on_toy": "its rows keep their labels, and the few of one class teach nothing",
}

test_conformance = conformance(
    "audio", settings=_SETTINGS, xfail=_XFAIL, golden=Path(__file__).with_name("golden.json")
)
