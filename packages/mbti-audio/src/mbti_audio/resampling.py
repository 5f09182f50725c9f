"""The filter of resamplers that leave nothing above their band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STEEP: Mapping[str, Any] = {
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.945,
    "beta": 14.77,
}
"""Of torchaudio: 157 dB down past the band, of which it keeps the lower 94.5 %.

The default damps by 90 dB at most, and by 20 near the edge: what is left of a loud tone is folded into the band, where
a log spectrogram shows it.
"""
