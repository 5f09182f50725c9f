"""Narcissus: a faint pattern that looks more like the target class than its own pictures do, under true labels."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mbti_core.contracts.attack import CleanLabelAttack, FitContext, PoisonContext, single_target
from mbti_core.data.split import Split
from mbti_image.levels import shifted
from mbti_image.sample import Image, size_of
from mbti_image.surrogate import descend, drawn, rows_of, surrogate_of

_LR = 0.005


class Narcissus(CleanLabelAttack[Image]):
    """Add a bounded pattern to pictures of the target class, and more of it at test; labels stay true.

    ``fit`` looks for the pattern that makes the benign twin surest of the target class on pictures that are of that
    class already. The attacker only changes correctly labelled rows.

    Shape: uint8 (B, 3, H, W) in [0, 255]; state ``pattern`` int16 (3, H, W) in [-``epsilon``, ``epsilon``].
    Units: ``epsilon`` in levels; ``amplify`` times the pattern is put on test rows; ``steps`` batches of 64 rows.
    Raises: ConfigError: If there is no single target class, or no row of it.
    Source: Zeng et al. 2023, section 4: min over d of the loss of f(x + d), |d| <= epsilon.
    Deviates: the model is the benign twin, trained on the whole split, where the authors train on public pictures of
    other classes and warm up on the target class: we have no such public set, so the attacker knows more; 300 steps
    on random rows instead of 1,000 passes over the class; the augmentation is the modality's own.
    """

    epsilon: Annotated[int, Field(ge=1, le=255)] = 16
    amplify: PositiveFloat = 3.0
    steps: PositiveInt = 300

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Search for the pattern on rows of the target class, varied as in training."""
        target, twin = single_target(ctx.aim), surrogate_of(ctx)
        raw = torch.zeros((3, *size_of(split)), device=ctx.device, requires_grad=True)
        bound = self.epsilon / 255

        def triggered(x: Tensor, index: Tensor) -> Tensor:
            changed = (x + raw.clamp(-bound, bound)).clamp(0, 1)
            draws = ctx.draws.stream("augment", next(turns))
            return twin.adapters.augment(changed, index, twin.info.modality, 1.0, draws, twin.info.facts)  # type: ignore[no-any-return]  # of any modality

        turns = iter(range(self.steps))
        batches = drawn(split, rows_of(split, target), self.steps, ctx)
        descend(twin, raw, torch.optim.RAdam([raw], lr=_LR), batches, triggered, target)
        pattern = 255 * raw.detach().clamp(-bound, bound)
        return {"pattern": pattern.round().to(torch.int16).cpu()}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return clip(x + d), at test clip(x + ``amplify`` d)."""
        pattern = ctx.state["pattern"]
        if ctx.role == "test":
            pattern = (self.amplify * pattern.float()).round().clamp(-255, 255).to(torch.int16)
        return shifted(x, pattern)
