"""What a batch of texts is."""

from __future__ import annotations

Text = list[str]
"""A batch in storage form: strings of any length and script."""
