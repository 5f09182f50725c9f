"""What a batch of texts is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mbti_core.contracts.model import InputSpec

Text = list[str]
"""A batch in storage form: strings of any length and script."""

INPUT = InputSpec((None,), "str", 0, 0x10FFFF, discrete=True)
"""One text: any number of Unicode code points."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A setting in [0, 1]."""
