"""Loading pretrained models that a folder or the public hub holds; never their code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import float32

from mbti_core.errors import DataFormatError, DataUnavailableError

_ERRORS = 40  # the level of Python's logging
_WAIT = 10.0  # seconds
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
    if local:
        _check_folder(Path(source), setting)
    with _quiet():
        return _load(source, auto_class, setting, local=local, **more)


def _load(source: str, auto_class: str, setting: str, *, local: bool, **more: Any) -> tuple[Any, Any]:
    import transformers  # noqa: PLC0415 - seconds; finished runs don't need it

    given: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local or not _answers(source)}
    try:
        net = getattr(transformers, auto_class).from_pretrained(source, dtype=float32, **given, **more)
        return net, transformers.AutoTokenizer.from_pretrained(source, **given)
    except pickle.UnpicklingError as error:
        raise _unsafe(source) from error
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if "weights_only" in str(error) or "Unpickling" in str(error):
            raise _unsafe(source) from error
        if "trust_remote_code" in str(error):
            raise _foreign(source) from error
        if local:
            raise DataFormatError(
                f"{source}: the library cannot load it: {why}", "Save model and tokenizer with save_pretrained again."
            ) from error
        raise DataUnavailableError(
            f"The model {source!r} is not in the hub's cache on this machine, and could not be fetched.",
            f"Where there is a network run 'hf download {source} --local-dir DIR', and set {setting} to DIR.",
        ) from error


def _answers(name: str) -> bool:
    """Tell whether the hub answers and has the model; asking once spares the library's five attempts, of 25 seconds."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - seconds; a folder needs no network

    try:
        HfApi().model_info(name, timeout=_WAIT)
    except Exception:  # each release of the library raises the errors of another network library
        return False
    return True


def _check_folder(folder: Path, setting: str) -> None:
    """Refuse what is missing, or would run code, before the library looks at it."""
    if not folder.is_dir():
        raise DataUnavailableError(f"There is no folder {str(folder)!r}.", f"Correct {setting}.")
    names = {p.name for p in folder.iterdir()}
    if "config.json" not in names:
        raise DataFormatError(f"{folder}: expected config.json, found none.", "Name a folder of save_pretrained.")
    if names.isdisjoint(_TOKENIZERS):
        raise DataFormatError(
            f"{folder}: expected a tokenizer ({', '.join(_TOKENIZERS)}), found none.",
            "Save the tokenizer into the same folder: tokenizer.save_pretrained(...).",
        )
    for name in ("config.json", "tokenizer_config.json"):
        if name in names and "auto_map" in _json(folder / name):
            raise _foreign(str(folder))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataFormatError(f"{path}: expected JSON; {error}.", "Save the model again.") from error


def _foreign(source: str) -> DataFormatError:
    return DataFormatError(
        f"{source} brings Python code of its own (auto_map), which is never run.",
        "Choose a model of an architecture that the library has.",
    )


def _unsafe(source: str) -> DataFormatError:
    return DataFormatError(
        f"{source}: the weights cannot be read without running code that they contain.",
        "Save them as safetensors on a machine that you trust them on: model.save_pretrained(...).",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from telling of the new head and from drawing bars."""
    from transformers.utils import logging  # noqa: PLC0415 - seconds

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(_ERRORS)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library's
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # the library's


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, sizes and times of a folder's files: equal as long as none was exchanged."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in found if p.is_file())
