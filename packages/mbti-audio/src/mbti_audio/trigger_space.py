"""Differentiable families of triggers on waveforms, which trigger inversion searches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbti_audio.models.sound_model import SoundModel, SpectrogramModel
from mbti_audio.trigger_bands import FAINT, INSIDE, MaskedBands, unit
from mbti_audio.waves import Waves
from mbti_core.contracts.model import InputSpec
from mbti_core.contracts.trigger_space import Family, Params
from mbti_core.data.rng import Draws

BOUND = 0.1
"""How far an additive trigger may move a sample, in parts of full scale."""

_STEP = 0.01  # seconds between two values of a mask


@dataclass(frozen=True)
class Samples:
    """What both families share: a lifted batch is (B, 2, T), the waves and, second, 1 inside of each sound, else 0.

    A trigger starts with the sound and has a length of its own: a longer sound goes on without it, a shorter one cuts
    it off. Parameters have no batch axis. Stacked ones, (K, 1, ...), give (K, B, 2, T), (K, 1) sizes and (K, B, C)
    logits.

    Attributes:
        samples: Length of a trigger.
        rate: Samples per second.
        device: Where the model is.
    """

    samples: int
    rate: int
    device: torch.device

    def lift(self, model: nn.Module, batch: Waves) -> Tensor:
        """Return the waves, and where they are sound, as two channels."""
        del model
        return torch.stack([batch.wave, batch.inside.to(batch.wave.dtype)], 1)

    def logits(self, model: nn.Module, lifted: Tensor) -> Tensor:
        """Return (B, C), or (K, B, C) of stacked triggers."""
        wave, inside = lifted.flatten(0, -3).unbind(1)
        logits: Tensor = model(Waves(wave, inside.sum(1).long(), self.rate))
        return logits.view(*lifted.shape[:-2], -1)

    def discrete(self, params: Params) -> Sequence[Params]:
        """Return the trigger itself: samples hold any."""
        return [params]

    def sound(self, wave: Tensor) -> Waves:
        """Return one sound of a wave (samples,)."""
        return Waves(wave.detach().cpu()[None], torch.tensor([self.samples]), self.rate)

    def drawn(self, draws: Draws, count: int) -> Tensor:
        """Return (count,) uniform in [0, 1)."""
        return draws.uniform(torch.zeros(1, dtype=torch.int64), (count,))[0].to(self.device)


class MaskedPattern(Samples):
    """A pattern that replaces the sound where a mask says so: ``(1 - m) x + m p``.

    Mask m in [0, 1] is ``(tanh(theta) + 1) / 2`` of the parameter ``mask`` (n,), a value each 10 ms with straight lines
    between them; pattern p in [-1, 1] is the tanh of the parameter ``pattern`` (samples,). The size is the L1 norm of
    the mask: how many stretches of 10 ms are replaced.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, equations 2 and 3; the parametrization is its authors' code's.
    Deviates: adapted. A mask over time in steps, as one for each sample would cut the sound to pieces and have no
    gradient in common; the pattern starts faint, since noise of full scale hides every sound.
    """

    def initial(self, draws: Draws) -> Params:
        """Return parameters of a uniformly drawn mask and a faint pattern."""
        steps = max(1, math.ceil(self.samples / max(1, round(_STEP * self.rate))))
        mask, pattern = self.drawn(draws.stream("mask"), steps), self.drawn(draws.stream("pattern"), self.samples)
        return {"mask": ((2 * mask - 1) * INSIDE).atanh(), "pattern": FAINT * (2 * pattern - 1)}

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the sounds with the trigger, in [-1, 1] where they were, silent behind their ends."""
        wave = lifted[:, 0]
        mask = _fitted(self.stretched(params["mask"]), wave)
        return _triggered(lifted, (1 - mask) * wave + mask * _fitted(params["pattern"].tanh(), wave))

    def size(self, params: Params) -> Tensor:
        """Return the L1 norm of the mask, in stretches of 10 ms."""
        return unit(params["mask"]).sum(-1)

    def shown(self, model: nn.Module, params: Params) -> Waves:
        """Return the pattern, as loud as the mask lets it be."""
        del model
        return self.sound(self.stretched(params["mask"]) * params["pattern"].tanh())

    def stretched(self, theta: Tensor) -> Tensor:
        """Return masks (..., samples) of their parameters (..., n)."""
        mask = functional.interpolate(unit(theta).reshape(-1, 1, theta.shape[-1]), self.samples, mode="linear")
        return mask.reshape(*theta.shape[:-1], -1)


class BoundedShift(Samples):
    """A wave of at most ``BOUND`` that is added to the sound: ``clip(x + BOUND tanh(theta))``.

    The parameter ``shift`` is (samples,). The size is the L2 norm of what is added, before clipping. It finds what is
    spread over a sound and has no place that a mask could keep small: a blended sound, a tone beyond hearing.
    """

    def initial(self, draws: Draws) -> Params:
        """Return parameters of a faint random wave; at zero itself the size has no direction to shrink in."""
        return {"shift": FAINT * (2 * self.drawn(draws.stream("shift"), self.samples) - 1)}

    def apply(self, lifted: Tensor, params: Params) -> Tensor:
        """Return the sounds with the trigger, in [-1, 1], silent behind their ends."""
        wave = lifted[:, 0]
        return _triggered(lifted, (wave + BOUND * _fitted(params["shift"].tanh(), wave)).clamp(-1, 1))

    def size(self, params: Params) -> Tensor:
        """Return the L2 norm of what is added, in parts of full scale."""
        size: Tensor = torch.linalg.vector_norm(BOUND * params["shift"].tanh(), dim=-1)
        return size

    def shown(self, model: nn.Module, params: Params) -> Waves:
        """Return what is added."""
        del model
        return self.sound(BOUND * params["shift"].tanh())


def _fitted(trigger: Tensor, wave: Tensor) -> Tensor:
    """Return a trigger (..., samples) as long as the waves, silent behind its end."""
    return functional.pad(trigger, (0, wave.shape[-1] - trigger.shape[-1]))


def _triggered(lifted: Tensor, wave: Tensor) -> Tensor:
    """Return a lifted batch with other waves ((K,) B, T)."""
    inside = lifted[:, 1].expand_as(wave)
    return torch.stack([wave * inside, inside], -2)


def _bands(model: nn.Module, spec: InputSpec, device: torch.device) -> MaskedBands | None:
    if not isinstance(model, SpectrogramModel):
        return None
    samples = spec.shape[-1] or model.window
    return None if samples > model.window else MaskedBands(model.shape(samples), samples, device)


_FAMILIES: Mapping[str, type[MaskedPattern | BoundedShift]] = {"mask": MaskedPattern, "additive": BoundedShift}


def trigger_space(
    model: nn.Module, spec: InputSpec, family: Family, rate: int | None = None
) -> MaskedPattern | BoundedShift | MaskedBands | None:
    """Return a family of triggers as long as a sound, or as a model's window where sounds are longer or of any length.

    A model that says nothing of a window hears a trigger of one second where sounds are of any length. None for a
    family that there is not, and where nobody knows the rate; for ``front``, also where a model has no log mel bands,
    and where sounds are longer than its window.

    Args:
        model: Batch to logits; triggers are made where its parameters are.
        spec: One input, (T,) or (None,).
        family: ``mask``, ``additive`` or ``front``.
        rate: Samples per second of the data set; a ``SoundModel`` knows its own.
    """
    kind, device = _FAMILIES.get(family), next(model.parameters()).device
    if family == "front":
        return _bands(model, spec, device)
    if kind is None:
        return None
    if isinstance(model, SoundModel):
        return kind(min(spec.shape[-1] or model.window, model.window), model.rate, device)
    return None if rate is None else kind(spec.shape[-1] or rate, rate, device)
