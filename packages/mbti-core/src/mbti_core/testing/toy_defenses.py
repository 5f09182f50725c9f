"""A toy defense for each thing that a defense may yield."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.defense import (
    Defense,
    DefenseContext,
    DefenseOutcome,
    DefenseView,
    LabelledSet,
    Need,
    Verdict,
    Yield,
)
from mbti_core.training.subject import Subject

_KEPT = 0.95  # of clean samples


def _parts(view: DefenseView) -> tuple[Subject, LabelledSet]:
    """Return the model and the clean samples for fitting."""
    if view.subject is None or view.clean is None:
        raise ValueError("the view lacks what was declared in needs")
    return view.subject, view.clean.fit


class Outlier(Defense):
    """Distance in feature space to the clean center of the row's label; keeps rows below the clean 95 % quantile."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean", "suspects", "features"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"scores", "keep"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Score every suspect row."""
        subject, clean = _parts(view)
        if view.suspects is None or view.clean is None or view.features is None:
            raise ValueError("the view lacks the suspects")
        z, y, other = subject.features(clean.x), clean.y.cpu(), view.clean.calibrate
        center = torch.stack([z[y == c].mean(0) for c in range(ctx.info.num_classes)])  # (C, D)
        limit = float(_apart(subject.features(other.x), other.y, center).quantile(_KEPT))
        scores = _apart(view.features(), view.suspects.y, center)
        return DefenseOutcome(
            scores=scores, threshold=limit, expected=1 - _KEPT, calibrated_on=len(other.y), keep=scores <= limit
        )


def _apart(z: Tensor, y: Tensor, center: Tensor) -> Tensor:
    """Return (n,) distances of features (n, D) from the center of their label."""
    distances: Tensor = (z - center[y.cpu()]).norm(dim=1)
    return distances


class Retune(Defense):
    """Some steps of SGD on the clean samples, on a copy of the model."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model"})
    steps: PositiveInt = 20

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the tuned copy, in eval mode."""
        subject, clean = _parts(view)
        model = copy.deepcopy(subject.model).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        everything = torch.arange(len(clean.y))
        for _ in range(self.steps):
            optimizer.zero_grad()
            logits = model(subject.encode(clean.x.take(everything)))
            functional.cross_entropy(logits, clean.y.to(ctx.device)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        return DefenseOutcome(model=model.eval())


def _bright_corner(x: Tensor) -> Tensor:
    y = x.clone()
    y[..., -2:, -2:] = 255
    return y


class Probe(Defense):
    """Share of the clean samples that a bright corner sends to one class; that corner, and it at half the light."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"verdict"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Say which class the corner leads to, and how surely."""
        subject, clean = _parts(view)
        logits = subject.logits(_bright_corner(clean.x.take(torch.arange(len(clean.y)))))
        shares = torch.bincount(logits.argmax(1), minlength=ctx.info.num_classes) / len(clean.y)
        score, suspect = float(shares.max()), int(shares.argmax())
        found = score > 0.8
        verdict = Verdict(score, found, (suspect,) if found else (), tuple(shares.tolist()))
        corner = _bright_corner(torch.zeros_like(clean.x.take(torch.arange(1))))
        return DefenseOutcome(verdict=verdict, triggers={suspect: [corner, corner // 2]} if found else {})


class Blank(Defense):
    """A gray border laid over every input before the model sees it."""

    needs: ClassVar[frozenset[Need]] = frozenset({"inputs"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"filter"})
    width: PositiveInt = 2

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the filter."""
        del view, ctx

        def cover(x: Tensor) -> Tensor:
            y = torch.full_like(x, 40)
            inside = slice(self.width, -self.width)
            y[..., inside, inside] = x[..., inside, inside]
            return y

        return DefenseOutcome(filter=cover)
