"""VGGVox: a VGG net on log mel bands, with attention over time."""

from __future__ import annotations

from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from mbti_audio.models.front import LogMel, inside, reduced
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_core.contracts.model import ModelInfo

_BANDS, _WIDTH = 40, 512
_LEAST = 24  # frames, below which a pooling has nothing to pool


class VGGVox(SpectrogramModel):
    """Five layers of convolution, one over what is left of the bands, and a mean over time that is learned."""

    def __init__(self, rate: int, window: float, classes: int) -> None:
        super().__init__(rate, window, _WIDTH, classes)
        self.front = LogMel(rate, _BANDS)
        pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.layers = nn.Sequential(
            *_layer(1, 96, (5, 7), (1, 2), (2, 2)),
            nn.MaxPool2d((1, 3), stride=(1, 2), ceil_mode=True),
            *_layer(96, 256, (5, 5), (2, 2), (1, 1)),
            pool,
            *_layer(256, 384, (3, 3), (1, 1), (1, 1)),
            *_layer(384, 256, (3, 3), (1, 1), (1, 1)),
            *_layer(256, 256, (3, 3), (1, 1), (1, 1)),
            pool,
            *_layer(256, _WIDTH, (4, 1), (1, 1), (0, 0)),
        )
        self.attention = nn.Sequential(nn.Linear(_WIDTH, _WIDTH), nn.Tanh(), nn.Linear(_WIDTH, 1))

    def seen(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Return (B, 512)."""
        longest = bands.shape[-1]
        z: Tensor = self.layers(functional.pad(bands, (0, max(0, _LEAST - longest)))[:, None]).mean(2)  # (B, 512, F')
        z = z.transpose(1, 2)
        heard = inside(reduced(frames, max(longest, _LEAST), z.shape[1]), z.shape[1])
        weight = self.attention(z)[..., 0].masked_fill(~heard, float("-inf")).softmax(1)
        embedded: Tensor = (weight[..., None] * z).sum(1)
        return embedded


def _layer(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU()


def vggvox(info: ModelInfo, *, window: PositiveFloat = 3.0) -> nn.Module:
    """A VGG net for speakers, on 40 log mel bands.

    Source: Nagrani et al. 2017, table 4, with the attention of Yu et al. 2025 (BackdoorMBTI).
    Deviates: BatchNorm over each band where they normalize each band of a recording.

    Args:
        info: What the model is; its facts say the rate.
        window: Seconds that are heard at a time.
    """
    return VGGVox(info.facts["rate"], window, info.num_classes)
