"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mbti_core.errors import ConfigError


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file beside its place and move it there; its folder is made.

    Raises:
        ConfigError: If it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
    return path
