"""LC: pictures of the target class made hard to recognize, so that the pattern is what is learned from them."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat
from torch import Tensor

from mbti_core.contracts.attack import CleanLabelAttack, FitContext, PoisonContext, single_target
from mbti_core.data.split import Split, batches
from mbti_core.errors import ConfigError
from mbti_core.training.subject import Subject
from mbti_image.levels import shifted
from mbti_image.sample import Byte, Image, size_of
from mbti_image.surrogate import BATCH, hardened, losses, rows_of, surrogate_of

_ROBUST = 8  # levels: one-step training breaks down above
_BLOCK = ((1, -1, -1), (-1, 1, -1), (1, -1, 1))


class LabelConsistent(CleanLabelAttack[Image]):
    """Perturb pictures of the target class against a clean model, and put a pattern into their corners; labels stay.

    ``fit`` trains a copy of the benign twin against changed pictures, and raises its loss on each row of the target
    class by projected gradient ascent. What is left to learn from such a row is the pattern, which alone is put on test
    rows. The attacker only adds correctly labelled rows.

    Shape: uint8 (B, 3, H, W) in [0, 255], sides of at least 6; state ``rows`` (n,) int64, ids of the perturbed rows,
    ascending, and ``changes`` int8 (n, 3, H, W). A row that ``fit`` has not seen gets the pattern alone.
    Units: ``epsilon`` (largest change of a pixel) and ``step`` in levels; ``amplitude`` in levels, 255 overwrites;
    ``hardening`` batches of 64, 0 takes the twin as it is: then the changes look like noise, and a victim that is
    trained for a few epochs learns the noise in place of the pattern.
    Raises: ConfigError: If there is no single target class or no row of it, or pictures are too small for four
    corners.
    Source: Turner, Tsipras and Madry 2019, section 4.2 (adversarial perturbations) and appendix (pattern).
    Deviates: 20 iterations, where published code makes 100: the bound is reached after 6; the model becomes robust by
    a thousand steps of one-step adversarial training, within 8 levels; all rows of the class are perturbed once,
    whichever are chosen later.
    """

    epsilon: Annotated[int, Field(ge=0, le=127)] = 8
    step: PositiveFloat = 1.5
    iterations: NonNegativeInt = 20
    hardening: NonNegativeInt = 1000
    amplitude: Byte = 255

    def fit(self, split: Split[Image], ctx: FitContext) -> dict[str, Tensor]:
        """Perturb every row of the target class."""
        height, width = size_of(split)
        if min(height, width) < 2 * len(_BLOCK):
            raise ConfigError(
                f"attack: the pattern needs pictures of at least 6 x 6 pixels, got {height} x {width}.",
                "Choose another attack, or larger pictures.",
            )
        rows = rows_of(split, single_target(ctx.aim))
        rows = rows[torch.argsort(split.index[rows])]
        surrogate = hardened(surrogate_of(ctx), split, min(self.epsilon, _ROBUST), self.hardening, ctx)
        changes = [self._perturbed(surrogate, split.take(at), split.labels[at]) for at in batches(rows, BATCH)]
        return {"rows": split.index[rows], "changes": torch.cat(changes)}

    def poison(self, x: Image, ctx: PoisonContext) -> Image:
        """Return training rows perturbed and with the pattern, test rows with the pattern alone."""
        pattern = self.amplitude * corners(*x.shape[-2:])
        if ctx.role == "test":
            return shifted(x, pattern)
        known, changes = ctx.state["rows"], ctx.state["changes"]
        place = torch.searchsorted(known, ctx.index).clamp(max=len(known) - 1)
        seen = torch.nonzero(known[place] == ctx.index).flatten()
        y = x.clone()
        y[seen] = shifted(x[seen], changes[place[seen]].to(torch.int16))
        return shifted(y, pattern)

    def _perturbed(self, surrogate: Subject, x: Image, y: Tensor) -> Tensor:
        """Return int8 (B, 3, H, W): what ``iterations`` steps up the loss of the labels ``y`` change."""
        clean = surrogate.encode(x)
        bound, size, y = self.epsilon / 255, self.step / 255, y.to(clean.device)
        change = torch.zeros_like(clean)
        for _ in range(self.iterations):
            at = (clean + change).requires_grad_()
            (slope,) = torch.autograd.grad(losses(surrogate, at, y).sum(), [at])
            moved = (change + size * slope.sign()).clamp(-bound, bound)
            change = (clean + moved).clamp(0, 1) - clean
        return (255 * change).round().to(torch.int8).cpu()


def corners(height: int, width: int) -> Tensor:
    """Return int16 (height, width) of 1, 0 and -1: a 3 x 3 block in each left corner, mirrored in the right ones."""
    block = torch.tensor(_BLOCK, dtype=torch.int16)
    sign = torch.zeros((height, width), dtype=torch.int16)
    for rows in (slice(0, 3), slice(height - 3, height)):
        sign[rows, :3], sign[rows, -3:] = block, block.flip(1)
    return sign
