"""What one sound is in storage."""

from __future__ import annotations

from mbti_core.contracts.model import InputSpec

INPUT = InputSpec((None,), "int16", -32768, 32767)
"""One sound: any number of samples on 16-bit levels, one channel."""
