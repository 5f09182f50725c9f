"""Pretrained encoders of raw sound by local folder or by their name on the public hub; never their code."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mbti_audio.models.front import at_least, mean_of_sound
from mbti_audio.models.sound_model import SoundModel
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.errors import ConfigError, DataFormatError, MissingPluginError
from mbti_core.training.saved_model import saved_model

HubName = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
_RATE, _PROJECTION = 16000, 256


class Pretrained(SoundModel):
    """A transformer over frames of sound, the mean of its last layer over time, a projection and a linear head."""

    def __init__(self, body: Any, window: float, classes: int) -> None:
        super().__init__(_RATE, window, _PROJECTION, classes)
        self.body = body
        self.projection = nn.Linear(body.config.hidden_size, _PROJECTION)
        self._least = _receptive_field(body.config)

    def embed(self, wave: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, 256); each sound gets mean 0 and variance 1, as in pretraining."""
        wave = at_least(wave, self._least)
        heard = torch.arange(wave.shape[1], device=wave.device) < lengths[:, None]
        n = heard.sum(1, keepdim=True).clamp_min(1)
        centered = (wave - (wave * heard).sum(1, keepdim=True) / n) * heard
        scaled = centered / ((centered**2).sum(1, keepdim=True) / n + 1e-7).sqrt()
        z = self.body(scaled).last_hidden_state  # (B, F, D)
        embedded: Tensor = self.projection(mean_of_sound(z.transpose(1, 2), lengths, wave.shape[1]))
        return embedded


def _receptive_field(config: Any) -> int:
    """Return how many samples the first layers need for one frame."""
    field = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        field = (field - 1) * stride + kernel
    return int(field)


def encoder(info: ModelInfo, path: FileRef | None, hub: str, window: float, *, checkpointing: bool) -> nn.Module:
    """Load an encoder of raw sound, and give it a projection and a head for the data set's classes.

    Args:
        info: What the model is; its facts say the rate.
        path: A folder as the library saves it; comes before ``hub``.
        hub: Name on the public hub, looked up in the library's own cache first.
        window: Seconds that are heard at a time.
        checkpointing: Whether training keeps fewer activations and computes them twice.

    Raises:
        ConfigError: If the sounds have another rate than those that it was pretrained on.
        MissingPluginError: If the transformers library is not installed.
        DataUnavailableError: If the folder does not exist, or the named model can neither be found nor fetched.
        DataFormatError: If the folder lacks a file, brings code of its own, holds pickled code, or is of another kind.
    """
    rate = info.facts["rate"]
    if rate != _RATE:
        raise ConfigError(
            f"model: {info.arch} was pretrained on sounds of {_RATE} Hz, and the data set has {rate} Hz.",
            f"Set dataset.rate to {_RATE}.",
        )
    if find_spec("transformers") is None:
        raise MissingPluginError(
            f"The model {info.arch!r} needs the package transformers.", 'pip install "mbti-audio[pretrained]"'
        )
    source = str(path or hub)
    with saved_model(source, "model.path", local=path is not None) as given:
        import transformers  # noqa: PLC0415 - seconds; finished runs don't need it

        body = transformers.AutoModel.from_pretrained(source, dtype=torch.float32, **given)
    if not hasattr(body.config, "conv_kernel"):
        raise DataFormatError(
            f"{source}: expected an encoder of raw sound, found a model of the type {body.config.model_type}.",
            "Name the folder of a wav2vec 2.0 or HuBERT model.",
        )
    body.config.apply_spec_augment = False  # it draws from numpy's global state
    if checkpointing:
        body.gradient_checkpointing_enable({"use_reentrant": False})
    return Pretrained(body, window, info.num_classes)


def wav2vec2(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "facebook/wav2vec2-base",
    window: PositiveFloat = 3.0,
    checkpointing: bool = False,
) -> nn.Module:
    """wav2vec 2.0, all of it fine-tuned. Source: Baevski et al. 2020. Arguments: see ``encoder``.

    Deviates: no masking of time in fine-tuning; the silence behind a sound is heard and left out of the mean.
    """
    return encoder(info, path, hub, window, checkpointing=checkpointing)


def hubert(
    info: ModelInfo,
    *,
    path: FileRef | None = None,
    hub: HubName = "facebook/hubert-base-ls960",
    window: PositiveFloat = 3.0,
    checkpointing: bool = False,
) -> nn.Module:
    """HuBERT, all of it fine-tuned. Source: Hsu et al. 2021. Arguments: see ``encoder``.

    Deviates: no masking of time in fine-tuning; the silence behind a sound is heard and left out of the mean.
    """
    return encoder(info, path, hub, window, checkpointing=checkpointing)
