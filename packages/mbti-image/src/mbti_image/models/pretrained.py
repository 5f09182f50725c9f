"""Weights from outside, put into a network that may have another number of classes than they had."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError
from mbti_core.training.weights import read_weights

ImageNet = Literal["IMAGENET1K_V1", "IMAGENET1K_V2"]
IMAGENET_NAMES: tuple[str, ...] = get_args(ImageNet)
_COUNTER = "num_batches_tracked"  # older files lack it; only a BatchNorm without momentum reads it


@dataclass(frozen=True)
class Published:
    """The weights that torchvision publishes for a network.

    Attributes:
        name: Its name there.
        left_out: Beginnings of the names of tensors that the network here lacks: auxiliary heads.
        renamed: Pattern and replacement for names that changed since the file was written.
    """

    name: str
    left_out: tuple[str, ...] = ()
    renamed: tuple[str, str] | None = None

    def translate(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors that the network has, under its names."""
        kept = {k: v for k, v in state.items() if not k.startswith(self.left_out or ("\0",))}
        if self.renamed is None:
            return kept
        pattern, by = self.renamed
        return {re.sub(pattern, by, k): v for k, v in kept.items()}


def load_pretrained(model: nn.Module, source: str, published: Published | None, info: ModelInfo) -> None:
    """Load weights into a model, or into the bare network inside it; a head of other classes stays as it is.

    Args:
        model: The whole model, with the network inside as its child ``net``.
        source: A file, a folder that holds one, or the name of torchvision's ImageNet weights.
        published: What torchvision publishes for the network.
        info: What the model is.

    Raises:
        ConfigError: If torchvision publishes no weights of that name for the network.
        DataUnavailableError: If there is no such file, or the named weights are not in torch hub's cache.
        DataFormatError: If reading the file would run code, or a tensor of the body is missing, unknown or of another
            shape.
    """
    path = _cached(published, source, info) if source in IMAGENET_NAMES else Path(source)
    if not path.exists():
        raise DataUnavailableError(f"There is no file or folder {str(path)!r}.", "Correct model.pretrained.")
    state = read_weights(path)
    whole = any(name.startswith("net.") for name in state)
    if published is not None and not whole:
        state = published.translate(state)
    target = model if whole else model.get_submodule("net")
    head = _head(target, info.num_classes)
    own = target.state_dict()
    body = {k: v for k, v in state.items() if not (k in own and k.startswith(head) and own[k].shape != v.shape)}
    _check(own, body, f"{path}: expected", info, head)
    target.load_state_dict(body, strict=False)


def _cached(published: Published | None, name: str, info: ModelInfo) -> Path:
    """Return where torch hub keeps named weights; nothing is fetched."""
    from torchvision import models  # noqa: PLC0415 - seconds; a finished run builds no model

    assert published is not None  # the settings accept a name only then
    offered = models.get_model_weights(published.name)
    if name not in offered.__members__:
        known = ", ".join(n for n in offered.__members__ if n in IMAGENET_NAMES)
        raise ConfigError(f"{info.arch} has no weights {name!r}.", f"Set model.pretrained to {known}, or to a file.")
    url = offered[name].url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if not path.is_file():
        raise DataUnavailableError(
            f"The weights {name} of {info.arch} are not in {path.parent}, and a run downloads nothing.",
            f"Put {url} there, or set TORCH_HOME to a folder that has it as hub/checkpoints/{path.name}.",
        )
    mark = path.stem.rpartition("-")[2]
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(mark):
        raise DataFormatError(
            f"{path}: expected a sha256 that begins with {mark}, found {digest[:12]}.", f"Download {url} again."
        )
    return path


def _head(target: nn.Module, classes: int) -> str:
    """Return the beginning of the names of the classifier's tensors."""
    linear = [name for name, m in target.named_modules() if isinstance(m, nn.Linear) and m.out_features == classes]
    return f"{linear[-1]}."


def _check(own: Mapping[str, Tensor], body: Mapping[str, Tensor], expected: str, info: ModelInfo, head: str) -> None:
    for name, tensor in body.items():
        if name in own and own[name].shape != tensor.shape:
            shapes = f"{name!r} of shape {tuple(own[name].shape)}, found {tuple(tensor.shape)}"
            raise DataFormatError(
                f"{expected} {shapes}.",
                f"Set {info.arch} to the settings that the weights were trained with (stem, resize, width).",
            )
    missing = [n for n in own if n not in body and not n.endswith(_COUNTER) and not n.startswith(head)]
    unknown = [n for n in body if n not in own]
    if missing or unknown:
        raise DataFormatError(
            f"{expected} the tensors of {info.arch}; {_first(missing, 'missing')}{_first(unknown, 'unknown')}".rstrip(),
            "Name the architecture and the settings that the weights were trained with.",
        )


def _first(names: Iterable[str], what: str) -> str:
    listed = list(names)
    more = f" and {len(listed) - 1} more" if len(listed) > 1 else ""
    return f"{what}: {listed[0]!r}{more}. " if listed else ""
