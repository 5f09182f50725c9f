"""Keys: the sha256 of canonical JSON, chained through the keys of a stage's inputs."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(data: Any) -> str:
    """Return JSON with sorted keys, without spaces; NaN and infinity raise ``ValueError``."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def key_of(payload: Any) -> str:
    """Return the key of a payload: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()
