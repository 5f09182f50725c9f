"""Models that the transformers library saves, in a folder or on the public hub: never their code, never a pickle."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mbti_core.errors import DataFormatError, DataUnavailableError

_ERRORS = 40  # the level of Python's logging
_WAIT = 10.0  # seconds


@contextmanager
def saved_model(source: str, setting: str, *, local: bool = True) -> Iterator[dict[str, Any]]:
    """Give what ``from_pretrained`` is called with inside the block; what it raises there becomes one clear message.

    Args:
        source: A folder as the library saves it, or a name on the public hub.
        setting: What a person names the folder with, for messages.
        local: Whether ``source`` is a folder.

    Raises:
        DataUnavailableError: If the folder does not exist, or the named model can neither be found nor fetched.
        DataFormatError: If the folder lacks a file, brings code of its own, holds pickled code, or is of another kind.
    """
    if local:
        _check_folder(Path(source), setting)
    with _quiet():
        try:
            yield {"trust_remote_code": False, "local_files_only": local or not _answers(source)}
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
                    f"{source}: the library cannot load it: {why}", "Save all of it with save_pretrained again."
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
    for name in ("config.json", "tokenizer_config.json"):
        if name in names and "auto_map" in _json(folder / name):
            raise _foreign(str(folder))


def saved_classifier(folder: Path, mine: Callable[[str], bool]) -> tuple[str, tuple[str, ...]] | None:
    """Return the kind of model that a folder of ``save_pretrained`` holds, and its classes in the order of the logits.

    Args:
        folder: Any folder.
        mine: Whether a kind (``model_type``) is one that the caller reads.

    Returns:
        None if the folder holds something else.

    Raises:
        DataFormatError: If it is a model without a classifier over whole inputs, or brings code of its own.
    """
    if not (folder / "config.json").is_file():
        return None
    config = _json(folder / "config.json")
    if not isinstance(config, dict) or not mine(str(config.get("model_type"))):
        return None
    _check_folder(folder, "the folder")
    made = [str(name) for name in config.get("architectures") or ()]
    if not any(name.endswith("ForSequenceClassification") for name in made):
        raise DataFormatError(
            f"{folder}: expected a classifier, found {', '.join(made) or 'a model without architectures'}.",
            "Name the folder of a model that was saved with its classifier.",
        )
    names = {int(number): str(name) for number, name in (config.get("id2label") or {}).items()}
    return str(config["model_type"]), tuple(names[number] for number in sorted(names))


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
