"""STRIP: predictions that superimposed samples don't disturb."""

from __future__ import annotations

from statistics import NormalDist
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet, Need, Yield
from mbti_core.data.split import batches
from mbti_core.training.subject import Subject
from mbti_defenses.budget import to_calibrate, to_fit

PAIRS = 128  # rows of one forward pass; measured on a CPU: 512 cost a third more time


class STRIP(Defense):
    """Flag samples whose prediction stays the same whatever clean sample is laid over them.

    The defender owns the model and a few clean samples, and sees the samples to judge. A trigger survives superposition
    and keeps the prediction on its target, so the entropy of the predictions, averaged over the overlays, is low.

    Attributes:
        overlays: Clean samples laid over each sample; all of them, if the clean budget holds fewer.
        frr: Share of clean samples flagged, by which the threshold is set, in (0, 1).
        calibration: ``quantile`` takes the empirical quantile of the clean entropies, ``normal`` that of a normal
            distribution of their mean and standard deviation.
        weight: Strength of the superposition; None takes the modality's own.

    Shape:
        Suspects (n, ...) in storage form; scores (n,) in [-ln C, 0], the negative mean entropy.

    Units:
        Entropy in nats.

    Raises:
        ConfigError: If the clean budget is empty, or leaves nothing to calibrate on.
        NotSupportedError: If no plugin superimposes this modality.

    Source:
        Gao et al., "STRIP", ACSAC 2019, section 4, equations 2-4; other modalities: Gao et al., "STRIP-ViTA", 2021.

    Deviates:
        64 overlays instead of 100, for cost, and natural logarithms, which change only the scale. The overlays are
        drawn once per run and laid over every sample, calibration included, so that all entropies are comparable. The
        quantile is interpolated at frr * (n + 1) (Weibull), whose expected flag rate on fresh clean samples is frr; the
        authors' normal fit is ``normal``. Overlays and calibration samples are disjoint. Applied to the training data,
        as a filter, where the paper judges inputs at inference.

    Example:
        >>> STRIP(frr=0.01).overlays
        64
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean", "suspects"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"scores", "keep"})
    costly: ClassVar[bool] = True

    overlays: PositiveInt = 64
    frr: Annotated[float, Field(gt=0, lt=1)] = 0.05
    calibration: Literal["quantile", "normal"] = "quantile"
    weight: NonNegativeFloat | None = None

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the negative entropies of the suspects, and the threshold that the clean ones set."""
        subject, clean, suspects = view.subject, view.clean, view.suspects
        assert subject is not None  # declared in needs, as the next two
        assert clean is not None
        assert suspects is not None
        pool = to_fit(clean, "STRIP", "to lay over an input")
        held_out = to_calibrate(clean, "STRIP", "to calibrate on")
        drawn = torch.argsort(ctx.draws.stream("overlays").bits(pool.index.cpu()), stable=True)[: self.overlays]
        usual = self.entropies(subject, held_out, pool, drawn, ctx)
        scores = -self.entropies(subject, suspects, pool, drawn, ctx)
        threshold = -self.floor(usual)
        notes = {
            "forwards": len(drawn) * (len(usual) + len(scores)),
            "overlays": len(drawn),
            "calibration_rows": len(usual),
            "entropy_floor": -threshold,
        }
        return DefenseOutcome(
            scores=scores,
            threshold=threshold,
            expected=self.frr,
            calibrated_on=len(usual),
            keep=scores <= threshold,
            notes=notes,
        )

    def entropies(
        self, subject: Subject, data: LabelledSet, pool: LabelledSet, drawn: Tensor, ctx: DefenseContext
    ) -> Tensor:
        """Return (n,) float32 mean prediction entropies in nats, on the CPU.

        All n * N pairs (sample, overlay) are walked sample by sample in chunks of one forward pass, so memory depends
        neither on n nor on N.
        """
        n, count, mixing = len(data.index), len(drawn), ctx.draws.stream("superimpose")
        parts = []
        for pair in batches(torch.arange(n * count), PAIRS):
            x, other = taken(subject, data, pair // count), taken(subject, pool, drawn[pair % count])
            index = data.index[pair // count] * count + pair % count
            mixed = ctx.adapters.superimpose(x, other, index, ctx.info.modality, self.weight, mixing)
            log_p = subject.logits(mixed).log_softmax(1)  # (B, C)
            parts.append(-(log_p.exp() * log_p).sum(1))
        return torch.cat(parts).view(n, count).mean(1).cpu() if n else torch.zeros(0)

    def floor(self, usual: Tensor) -> float:
        """Return the entropy below which a share ``frr`` of clean samples falls, as a float32 value.

        Args:
            usual: (n,) entropies of clean samples, n at least 1.
        """
        clean = usual.double().numpy()
        if self.calibration == "quantile":
            return float(np.float32(np.quantile(clean, self.frr, method="weibull")))
        return float(np.float32(clean.mean() + clean.std() * NormalDist().inv_cdf(self.frr)))


def taken(subject: Subject, data: LabelledSet, rows: Tensor) -> Any:
    """Return a batch of rows (n,), each of which is read once, however often it stands there."""
    distinct, place = torch.unique(rows, return_inverse=True)
    return subject.modality.select(data.x.take(distinct), place)
