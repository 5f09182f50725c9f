"""Pretrained transformers by local folder or by their name on the public hub; never their code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from torch import float32, nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError
from mbti_text.models.encoder import Encoder
from mbti_text.models.vocabulary import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HubName = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
_ERRORS = 40  # the level of Python's logging
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")


def classifier(info: ModelInfo, path: FileRef | None, hub: str, max_tokens: int, *, checkpointing: bool) -> nn.Module:
    """Load an encoder or decoder with its tokenizer, and give it a new head for the data set's classes.

    Args:
        info: What the model is.
        path: A folder as the library saves it; comes before ``hub``.
        hub: Name on the public hub, looked up in the library's own cache first.
        max_tokens: What comes after is cut off; what the model itself can take is a bound too.
        checkpointing: Whether training keeps fewer activations and computes them twice.

    Raises:
        ConfigError: If there is neither a path nor a name.
        DataUnavailableError: If the folder does not exist, or the named model can neither be found nor fetched.
        DataFormatError: If the folder lacks a file, brings code of its own, holds pickled code, or its tokenizer has
            more tokens than the model.
    """
    if path is None and not hub:
        raise ConfigError(f"{info.arch} needs a model.", "Set model.path to a folder, or model.hub to a public name.")
    if path is not None:
        _check_folder(Path(path))
    source = str(path or hub)
    with _quiet():
        net, tokenizer = _load(source, info, local=path is not None)
    known = int(net.get_input_embeddings().weight.shape[0])  # type: ignore[arg-type,index,union-attr]  # an embedding
    if len(tokenizer) > known:
        raise DataFormatError(
            f"{source}: the tokenizer has {len(tokenizer):,} tokens, the model {known:,}.",
            "Put the tokenizer that the model was trained with beside it.",
        )
    if checkpointing:
        net.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[no-untyped-call]  # the library's
    longest = getattr(net.config, "max_position_embeddings", None) or max_tokens
    padding = int(getattr(net.base_model.embeddings, "padding_idx", None) or 0) if _offsets(net) else -1
    return Encoder(net, tokenizer, min(max_tokens, int(longest) - 1 - padding))


def _offsets(net: PreTrainedModel) -> bool:
    """Whether positions start after the padding id, so that the last ones are never reached."""
    return str(net.config.model_type) in ("roberta", "xlm-roberta", "camembert")


def _load(source: str, info: ModelInfo, *, local: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415 - seconds

    given: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    try:
        net = AutoModelForSequenceClassification.from_pretrained(
            source, num_labels=info.num_classes, ignore_mismatched_sizes=True, dtype=float32, **given
        )
        return net, AutoTokenizer.from_pretrained(source, **given)
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
            f"Where there is a network run 'hf download {source} --local-dir DIR', and set model.path to DIR.",
        ) from error


def _check_folder(folder: Path) -> None:
    """Refuse what is missing, or would run code, before the library looks at it."""
    if not folder.is_dir():
        raise DataUnavailableError(f"There is no folder {str(folder)!r}.", "Correct model.path.")
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


def bert(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "google-bert/bert-base-uncased",
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """BERT with a new head on the pooled first token. Source: Devlin et al. 2019. Arguments: see ``classifier``."""
    return classifier(info, path, hub, max_tokens, checkpointing=checkpointing)


def roberta(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "FacebookAI/roberta-base",
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """RoBERTa with a new head on the first token. Source: Liu et al. 2019. Arguments: see ``classifier``."""
    return classifier(info, path, hub, max_tokens, checkpointing=checkpointing)


def distilbert(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "distilbert/distilbert-base-uncased",
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """DistilBERT with a new head on the first token. Source: Sanh et al. 2019. Arguments: see ``classifier``."""
    return classifier(info, path, hub, max_tokens, checkpointing=checkpointing)


def albert(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "albert/albert-base-v2",
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """ALBERT with a new head on the pooled first token. Source: Lan et al. 2020. Arguments: see ``classifier``."""
    return classifier(info, path, hub, max_tokens, checkpointing=checkpointing)


def gpt2(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "openai-community/gpt2",
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """GPT-2 with a new head on the last token. Source: Radford et al. 2019. Arguments: see ``classifier``."""
    return classifier(info, path, hub, max_tokens, checkpointing=checkpointing)


def auto(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName | None = None,
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """Any sequence classifier that the transformers library has. Arguments: see ``classifier``."""
    return classifier(info, path, hub or "", max_tokens, checkpointing=checkpointing)
