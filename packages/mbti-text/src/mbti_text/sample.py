"""What a batch of texts is."""

from __future__ import annotations

from mbti_core.contracts.model import InputSpec

Text = list[str]
"""A batch in storage form: strings of any length and script."""

INPUT = InputSpec((None,), "str", 0, 0x10FFFF, discrete=True)
"""One text: any number of Unicode code points."""
