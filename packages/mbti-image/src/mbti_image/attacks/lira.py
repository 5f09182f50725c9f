"""LIRA: a learned, faint pattern for each picture, found together with a classifier and then kept."""

from __future__ import annotations

import copy
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.attack import FitContext, PoisonContext, TrainingAttack
from mbti_core.data.rng import scoped_globals
from mbti_core.data.split import Split
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_image.generator import answers, check_size, fresh_generator, kept_generator, rounded, to_bytes
from mbti_image.modality import to_float
from mbti_image.sample import Image, Share

_BATCH = 64


class LIRA(TrainingAttack[Image]):
    """Learn a faint pattern for each picture with a copy of a classifier, then train the victim on it; all controlled.

    Stage 1 lets the pattern net and a copy of the benign twin descend together. Stage 2 freezes the net: in each step a
    row is triggered and relabelled with probability ``ratio``. The static form fixes such rows once.

    Shape: uint8 (B, 3, H, W) in [0, 255], sides of at least 16; state: weights ``net.*``.
    Units: ``epsilon`` in levels; ``clean_share`` is the weight of clean rows in stage 1; ``steps`` batches of 64 rows;
    ``width`` channels of the net's first level.
    Raises: ConfigError: If a side has fewer than 16 pixels.
    Source: Doan, Lao, Zhao and Li 2021, equations 3 and 4, algorithm 1.
    Deviates: 8 levels of 255, since 0.01 of the normalized scale is lost in 8 bits; stage 1 starts from the benign twin
    instead of an untrained classifier, with net and copy descending on one pass instead of in turns; stage 2 triggers
    ``ratio`` of the rows instead of weighing all, clean and triggered, and does not keep the copy of stage 1; the net
    is that of the other attacks here; pixels are rounded, with gradients passed through.
    """

    epsilon: Annotated[float, Field(ge=1, le=255)] = 8.0
    clean_share: Share = 0.5
    steps: PositiveInt = 300
    width: PositiveInt = 8
    lr: PositiveFloat = 1e-3

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Train the pattern net together with a copy of the benign twin (stage 1)."""
        check_size(split)
        assert ctx.surrogate is not None
        with scoped_globals(ctx.draws.stream("net").seed):
            net = fresh_generator(3, self.width, ctx.device)
        model = copy.deepcopy(ctx.surrogate.model).train().requires_grad_(True)
        optimizers = [
            torch.optim.Adam(net.parameters(), lr=self.lr),
            torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4),
        ]
        picks = ctx.draws.stream("rows").integers(torch.arange(self.steps), len(split), (_BATCH,))
        for rows in picks:
            x, y = to_float(split.take(rows).to(ctx.device)), split.labels[rows].to(ctx.device)
            goal = self.goal(y, split.index[rows].to(ctx.device), ctx.aim)
            with ctx.surrogate.precision():
                made = rounded(x + self.epsilon / 255 * net(x).tanh())
                logits = model(torch.cat([x, made])).float()
            clean, hit = (functional.cross_entropy(a, b) for a, b in zip(logits.split(len(x)), (y, goal), strict=True))
            loss = self.clean_share * clean + (1 - self.clean_share) * hit
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            for optimizer in optimizers:
                optimizer.step()
        return {f"net.{name}": t.detach().cpu().contiguous() for name, t in net.state_dict().items()}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return every row with its pattern."""
        net = kept_generator(3, self.width, ctx.state, "net.")
        return to_bytes(to_float(x) + self.epsilon / 255 * answers(net, x).tanh_())

    def step(self, batch: TrainBatch[Image], ctx: StepContext[Image]) -> Tensor:
        """Return the cross-entropy of the batch with this epoch's triggered rows (stage 2)."""
        draw = ctx.draws.stream("members", batch.epoch).uniform(batch.index)
        hit = torch.nonzero(draw < ctx.ratio).flatten()
        x, y = batch.x.clone(), batch.y.clone()
        y[hit] = self.goal(y[hit], batch.index[hit], ctx.aim)
        clean = to_float(x[hit])
        with torch.no_grad(), ctx.precision():
            answer = kept_generator(3, self.width, ctx.state, "net.")(clean)
        x[hit] = to_bytes(clean + self.epsilon / 255 * answer.tanh())
        return plain_step(TrainBatch(x, y, batch.index, batch.epoch), ctx)
