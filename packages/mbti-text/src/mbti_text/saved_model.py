"""Pretrained models of texts, with their tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import float32

from mbti_core.errors import DataFormatError
from mbti_core.training.saved_model import saved_model

_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")


def load_saved(source: str, auto_class: str, setting: str, *, local: bool = True, **more: Any) -> tuple[Any, Any]:
    """Return a model in float32 and its tokenizer.

    Args:
        source: A folder as the library saves it, or a name on the public hub.
        auto_class: Class of the transformers library that builds such a model, e.g. ``AutoModelForMaskedLM``.
        setting: What a person names the folder with, for messages.
        local: Whether ``source`` is a folder.
        more: What the class takes beside.

    Raises:
        DataUnavailableError: If the folder does not exist, or the named model can neither be found nor fetched.
        DataFormatError: If the folder lacks a file, brings code of its own, holds pickled code, or is of another kind.
    """
    with saved_model(source, setting, local=local) as given:
        if local and not any((Path(source) / name).exists() for name in _TOKENIZERS):
            raise DataFormatError(
                f"{source}: expected a tokenizer ({', '.join(_TOKENIZERS)}), found none.",
                "Save the tokenizer into the same folder: tokenizer.save_pretrained(...).",
            )
        import transformers  # noqa: PLC0415 - seconds; finished runs don't need it

        net = getattr(transformers, auto_class).from_pretrained(source, dtype=float32, **given, **more)
        return net, transformers.AutoTokenizer.from_pretrained(source, **given)


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, sizes and times of a folder's files: equal as long as none was exchanged."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in found if p.is_file())
