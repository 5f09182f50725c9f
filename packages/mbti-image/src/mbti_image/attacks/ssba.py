"""SSBA: a message hidden in each picture by a net, so that each carries a change of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import Attack, FitContext, PoisonContext
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split, batches
from mbti_core.engine.numerics import choose_precision
from mbti_core.errors import ConfigError
from mbti_core.training.optimize import lr_at
from mbti_image.generator import answers, rounded, to_bytes
from mbti_image.modality import to_float
from mbti_image.sample import Image, size_of
from mbti_image.steganography import Hider, Reader, fresh, kept_hider

_BATCH = 32
_WARMUP = 0.05
_HIDDEN, _READABLE = 0.9, 0.95
_CHECKED = 256
_BF16_SIDE = 17  # below, a convolution of stride 2 meets one pixel: in bf16 oneDNN leaves some of its gradient unset
_SETTLE = 1 / 3  # of the ramp: 1,000 steps to 3,000 in public code


class SSBA(Attack[Image]):
    """Hide one secret message in every triggered row; the attacker adds relabelled rows to the training data.

    ``fit`` trains a net that hides random messages together with one that reads them, first for the bits alone, then
    also for likeness. The change differs from picture to picture; the message is the same in all of them.

    Shape: uint8 (B, 3, H, W) in [0, 255], of any size; state ``secret`` (``bits``,) uint8, ``gain`` (1,) float, weights
    ``hider.*`` and ``reader.*``.
    Units: ``width`` channels of the first level; ``images`` rows and ``steps`` batches of 32 to train on; ``likeness``
    the weight of the mean squared change on the [0, 1] scale, which rises over ``ramp`` steps once 90 % of a batch's
    bits were read for a third as many steps; ``psnr`` in dB; ``lr`` Adam's peak.
    Raises: ConfigError: If fewer than 95 % of the bits are read on rows that were not trained on.
    Source: Li et al. 2021, section 4.2; StegaStamp (Tancik et al. 2020).
    Deviates: half the channels, 2,000 pictures, a higher learning rate on a cosine: a minute instead of hours; the
    reader sees pixels rounded to 8 bits, as they will be stored; likeness is the squared change alone, without a
    perceptual loss (its weights are not ours to ship) or a critic (off in the authors' code), and its weight grows
    from 0 as in later public code; the change is then scaled once, so that every seed and data set has the same mean
    peak signal-to-noise ratio.
    """

    bits: PositiveInt = 20
    width: Annotated[int, Field(ge=4)] = 16
    images: PositiveInt = 2000
    steps: PositiveInt = 800
    ramp: PositiveInt = 300
    likeness: NonNegativeFloat = 40.0
    psnr: PositiveFloat = 30.0
    lr: PositiveFloat = 1e-3

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Draw the secret, train both nets, and set the gain."""
        order = ctx.draws.stream("rows").permutation(len(split))
        train = order[: min(self.images, len(order) - len(order) // 10)]
        with scoped_globals(ctx.draws.stream("nets").seed):
            hider = fresh(Hider(self.bits, self.width), ctx.device)
            reader = fresh(Reader(self.bits, self.width, *size_of(split)), ctx.device)
        self._learn(hider, reader, split, train, ctx)
        secret = _messages(ctx.draws.stream("secret"), 1, self.bits)
        rest = order[len(train) :][:_CHECKED]
        gain = self._gain(hider, reader, split.take(rest if len(rest) else train[:_CHECKED]), secret)
        nets = nn.ModuleDict({"hider": hider, "reader": reader})
        weights = {name: t.detach().cpu().contiguous() for name, t in nets.state_dict().items()}
        return {"secret": secret[0].to(torch.uint8), "gain": gain.cpu(), **weights}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return every row with the secret in it."""
        hider, secret = kept_hider(self.bits, self.width, ctx.state, "hider."), ctx.state["secret"].float()[None]
        return to_bytes(to_float(x) + ctx.state["gain"] * answers(lambda block: hider(block, secret), x))

    def _learn(self, hider: nn.Module, reader: nn.Module, split: Split[Image], rows: Tensor, ctx: FitContext) -> None:
        """Descend on the reader's cross-entropy, and on the mean squared change once bits are read."""
        optimizer = torch.optim.Adam([*hider.parameters(), *reader.parameters()], lr=self.lr)
        messages = _messages(ctx.draws.stream("messages"), self.steps * _BATCH, self.bits).to(ctx.device)
        bf16 = choose_precision("auto", {"bf16"}, ctx.device.type) == "bf16" and min(size_of(split)) >= _BF16_SIDE
        since = 0
        for step, at in enumerate(_turns(rows, self.steps, ctx.draws.stream("turns"))):
            for group in optimizer.param_groups:
                group["lr"] = self.lr * lr_at("cosine", step, self.steps, _WARMUP)
            x, message = to_float(split.take(at).to(ctx.device)), messages[step * _BATCH :][: len(at)]
            with torch.autocast(ctx.device.type, torch.bfloat16, enabled=bf16):
                change = hider(x, message)
                logits = reader(rounded(x + change.float())).float()
            bits = functional.binary_cross_entropy_with_logits(logits, message)
            risen = min(1.0, max(0.0, since / self.ramp - _SETTLE))
            loss = bits + self.likeness * risen * change.float().square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            since += bool(since) or share_read(logits, message) > _HIDDEN

    def _gain(self, hider: nn.Module, reader: nn.Module, x: Image, secret: Tensor) -> Tensor:
        """Return (1,): what the change is multiplied by to reach ``psnr``, checked on rows that weren't trained on."""
        device = next(hider.parameters()).device
        clean, message = to_float(x.to(device)), secret.to(device)
        with torch.no_grad():
            change = hider(clean, message)
            gain: Tensor = (10 ** (-self.psnr / 10) / change.square().mean()).sqrt()[None]
            share = share_read(reader(to_float(to_bytes(clean + gain * change))), message)
        if share < _READABLE:
            raise ConfigError(
                f"attack: {share:.0%} of {self.bits} hidden bits are read after {self.steps:,} steps, expected at "
                f"least {_READABLE:.0%}.",
                "Raise attack.steps or attack.width, or lower attack.bits, attack.likeness or attack.psnr.",
            )
        return gain


def _messages(draws: Draws, n: int, bits: int) -> Tensor:
    """Return (n, bits) float32 of 0 and 1."""
    return draws.integers(torch.arange(n), 2, (bits,)).float()


def _turns(rows: Tensor, steps: int, draws: Draws) -> Iterator[Tensor]:
    """Yield ``steps`` batches, all rows in a new order before any comes again."""
    done, epoch = 0, 0
    while done < steps:
        for at in batches(rows[draws.stream(epoch).permutation(len(rows))], _BATCH):
            if done < steps:
                yield at
            done += 1
        epoch += 1


def share_read(logits: Tensor, message: Tensor) -> float:
    """Return the share of bits whose logit has the right sign."""
    return float(((logits > 0) == (message > 0.5)).float().mean())
