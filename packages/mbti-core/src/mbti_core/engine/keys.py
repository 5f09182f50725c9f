"""Keys: the sha256 of canonical JSON, chained through the keys of a stage's inputs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mbti_core.contracts.settings import Settings
from mbti_core.data.fileref import Digests
from mbti_core.errors import MbtiError


def canonical(data: Any) -> str:
    """Return JSON with sorted keys, without spaces; NaN and infinity raise ``ValueError``."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def key_of(payload: Any) -> str:
    """Return the key of a payload: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()


def asked(payload: dict[str, Any]) -> str:
    """Return the digest of what a stage is asked to do: its payload without versions of code."""

    def bare(part: Any) -> Any:
        if isinstance(part, list):
            return [bare(one) for one in part]
        component = isinstance(part, dict) and {"id", "version"} <= part.keys()
        return {name: part[name] for name in part if name != "version"} if component else part

    return key_of({name: bare(part) for name, part in payload.items() if name != "stage_version"})


def keyed(settings: Settings, digests: Digests) -> dict[str, Any]:
    """Return settings as they enter a key: the digests of files in place of their paths.

    Raises:
        DataUnavailableError: If a file is missing, or may not be read.
    """
    missing: list[MbtiError] = []

    def digest(paths: list[Path]) -> str:
        try:
            return digests.of(paths)
        except MbtiError as error:  # raised in here, pydantic would take the path for another member of a union
            missing.append(error)
            return ""

    found: dict[str, Any] = settings.model_dump(mode="json", context={"digest": digest})
    if missing:
        raise missing[0]
    return found
