"""A differentiable family of triggers on the log mel bands that a model makes of a sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_audio.models.front import inside
from mbti_audio.models.sound_model import SpectrogramModel
from mbti_audio.waves import Waves
from mbti_core.contracts.trigger_space import Params
from mbti_core.data.rng import Draws
from mbti_core.errors import NotSupportedError

SPAN = 4.0
"""How far a pattern may be from a band's mean, in its standard deviations."""

INSIDE = 1 - 1e-4
"""Of a drawn mask: 0 or 1 itself would have an infinite parameter."""

FAINT = 0.1
"""Parameters of a pattern at the start."""


@dataclass(frozen=True)
class MaskedBands:
    """A pattern that replaces log mel bands where a mask says so: ``(1 - m) x + m SPAN tanh(p)``.

    A lifted batch is (B, bands + 1, F), normalized bands and, last, 1 in frames that hold sound, else 0. Mask m in
    [0, 1] is ``(tanh(theta) + 1) / 2`` of the parameter ``mask`` (bands, F), pattern p the parameter ``pattern`` of
    the same shape. The size is the L1 norm of the mask: how many bands of how many frames are replaced. Stacked
    parameters, (K, 1, ...), give (K, B, bands + 1, F), (K, 1) sizes and (K, B, C) logits.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, equations 2 and 3, with bands for pixels.
    Deviates: adapted. Frames overlap, so that a pattern may be one that no sound has.

    Attributes:
        shape: Bands and frames of a trigger.
        samples: Length of the sound that it belongs to.
        device: Where the model is.
    """

    shape: tuple[int, int]
    samples: int
    device: torch.device

    def lift(self, model: nn.Module, batch: Waves) -> Tensor:
        """Return the bands, and which frames hold sound.

        Raises:
            NotSupportedError: If a sound is longer than the model's window.
        """
        assert isinstance(model, SpectrogramModel)
        longest = batch.wave.shape[1]
        if longest > model.window:
            raise NotSupportedError(
                f"A trigger on bands lies in one window, of {model.window:,} samples here; a sound has {longest:,}.",
                "Take the family 'mask', or a model with a longer window (model.window).",
            )
        bands, frames = model.heard(batch.wave, batch.lengths)
        return torch.cat([bands, inside(frames, bands.shape[-1])[:, None].to(bands.dtype)], 1)

    def initial(self, draws: Draws) -> Params:
        """Return parameters of a uniformly drawn mask and a faint pattern."""
        mask, pattern = (self._drawn(draws.stream(name)) for name in ("mask", "pattern"))
        return {"mask": ((2 * mask - 1) * INSIDE).atanh(), "pattern": FAINT * (2 * pattern - 1)}

    def _drawn(self, draws: Draws) -> Tensor:
        return draws.uniform(torch.zeros(1, dtype=torch.int64), self.shape)[0].to(self.device)

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the bands with the trigger, zero where there is no sound."""
        longer = (0, lifted.shape[-1] - self.shape[1])
        mask, pattern = (functional.pad(part, longer) for part in (unit(params["mask"]), _bounded(params["pattern"])))
        bands = (1 - mask) * lifted[:, :-1] + mask * pattern
        sound = lifted[:, -1:].expand(*bands.shape[:-2], 1, -1)
        return torch.cat([bands * sound, sound], -2)

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C), or (K, B, C) of stacked triggers."""
        assert isinstance(model, SpectrogramModel)
        flat = lifted.flatten(0, -3)
        logits = model.judged(flat[:, :-1], flat[:, -1].sum(1).long())
        return logits.view(*lifted.shape[:-2], -1)

    def size(self, params: Params) -> Tensor:
        """Return the L1 norm of the mask, in bands of a frame."""
        return unit(params["mask"]).sum((-2, -1))

    def discrete(self, params: Params) -> Sequence[Params]:
        """Return the trigger itself."""
        return [params]

    def shown(self, model: nn.Module, params: Params) -> Waves:
        """Return a sound of about such bands, silent where the mask is closed."""
        assert isinstance(model, SpectrogramModel)
        wave = model.sounding(_bounded(params["pattern"]), unit(params["mask"]), self.samples)
        return Waves(wave.detach().cpu()[None], torch.tensor([self.samples]), model.rate)


def unit(theta: Tensor) -> Tensor:
    """Return a mask in [0, 1] of its parameter."""
    return (theta.tanh() + 1) / 2


def _bounded(theta: Tensor) -> Tensor:
    return SPAN * theta.tanh()
