"""FlowMur: a short sound, learned against a clean model, under true labels."""

from __future__ import annotations

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from mbti_audio.loudness import Snr, beneath, rms, to_rms
from mbti_audio.placing import added, random_starts, rate_of
from mbti_audio.surrogate import drawn, losses, surrogate_of
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import CleanLabelAttack, FitContext, PoisonContext, single_target
from mbti_core.data.split import Split

_START, _BOUND, _LR = 0.1, 0.2, 0.001


class FlowMur(CleanLabelAttack[Waves]):
    """Add a learned sound at a random place to rows of the target class, faintly, and at full strength at test.

    ``fit`` looks for the sound of ``seconds`` with which the benign twin takes any row for the target class, wherever
    it lies. Training rows get it ``snr_db`` below their own energy. The attacker only changes correctly labelled rows.

    Shape: (B, T) in [-1, 1]; state ``sound`` (n,) float32 in [-0.2, 0.2].
    Units: ``seconds``; ``snr_db`` in dB, the energy of the row over that of the sound; ``steps`` batches of 64 rows.
    Raises: ConfigError: If there is no single target class, or no row of another one.
    Source: Lan et al. 2024, section IV, and the authors' code.
    Deviates: the surrogate is the benign twin; 300 steps where the authors make a thousand passes over 5,000 clips;
    no ambient noise is mixed in; test rows are not halved, which only kept a sum from clipping; rows below -40 dBFS
    count as of -40 dBFS, or silence would get no trigger.
    """

    seconds: PositiveFloat = 0.5
    snr_db: Snr = 30.0
    steps: PositiveInt = 300

    def fit(self, split: Split[Waves], ctx: FitContext) -> dict[str, Tensor]:
        """Lower the twin's loss of the target class over random rows and places, within 0.2 of silence."""
        target, twin = single_target(ctx.aim), surrogate_of(ctx)
        samples = max(1, round(self.seconds * rate_of(split)))
        raw = torch.full((samples,), _START, device=ctx.device, requires_grad=True)
        optimizer = torch.optim.Adam([raw], lr=_LR)
        for step, (x, index) in enumerate(drawn(split, target, self.steps, ctx)):
            start = random_starts(x.lengths, samples, index, ctx.draws.stream("places", step))
            triggered = x.with_wave(added(x.wave, raw.expand(len(x), -1), start))
            (raw.grad,) = torch.autograd.grad(losses(twin, triggered, target).mean(), [raw])
            optimizer.step()
            with torch.no_grad():
                raw.clamp_(-_BOUND, _BOUND)
        return {"sound": raw.detach().cpu()}

    def poison(self, x: Waves, ctx: PoisonContext) -> Waves:
        """Return x + g t from each row's own place on; g is 1 at test."""
        sound = ctx.state["sound"].to(x.wave.device)
        start = random_starts(x.lengths, len(sound), ctx.index, ctx.draws.stream("place"))
        if ctx.role == "test":
            return x.with_wave(added(x.wave, sound.expand(len(x), -1), start))
        # Energies over the whole row and the whole sound, so the shorter sound is louder while it lasts.
        longer = (x.lengths / len(sound)).sqrt()
        gain = beneath(rms(x.wave, x.lengths), self.snr_db) * longer
        return x.with_wave(added(x.wave, gain[:, None] * to_rms(sound), start))
