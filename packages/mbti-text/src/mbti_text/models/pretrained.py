"""Pretrained transformers by local folder or by their name on the public hub; never their code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.errors import ConfigError, DataFormatError
from mbti_text.models.encoder import Encoder
from mbti_text.models.vocabulary import Tokens
from mbti_text.saved_model import load_saved

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HubName = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]


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
    source = str(path or hub)
    net, tokenizer = load_saved(
        source,
        "AutoModelForSequenceClassification",
        "model.path",
        local=path is not None,
        num_labels=info.num_classes,
        ignore_mismatched_sizes=True,
    )
    known = int(net.get_input_embeddings().weight.shape[0])
    if len(tokenizer) > known:
        raise DataFormatError(
            f"{source}: the tokenizer has {len(tokenizer):,} tokens, the model {known:,}.",
            "Put the tokenizer that the model was trained with beside it.",
        )
    if checkpointing:
        net.activation_checkpointing_enable({"use_reentrant": False})
    longest = getattr(net.config, "max_position_embeddings", None) or max_tokens
    padding = int(getattr(net.base_model.embeddings, "padding_idx", None) or 0) if _offsets(net) else -1
    return Encoder(net, tokenizer, min(max_tokens, int(longest) - 1 - padding))


def _offsets(net: PreTrainedModel) -> bool:
    """Whether positions start after the padding id, so that the last ones are never reached."""
    return str(net.config.model_type) in ("roberta", "xlm-roberta", "camembert")


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


def huggingface(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName | None = None,
    max_tokens: Tokens = 512,
    checkpointing: bool = False,
) -> nn.Module:
    """Any sequence classifier that the transformers library has. Arguments: see ``classifier``."""
    return classifier(info, path, hub or "", max_tokens, checkpointing=checkpointing)
