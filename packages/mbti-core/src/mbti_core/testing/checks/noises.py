"""Checks of noises, on samples and on labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.model import InputSpec
from mbti_core.contracts.noise import NoiseContext
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.errors import MissingPluginError
from mbti_core.testing.bench import NotApplicableError
from mbti_core.testing.checks.case import Case, Check, expect
from mbti_core.testing.compare import difference, form_problem, numbers

_BATCH = 24


def _batch(case: Case, rows: Tensor) -> Any:
    split = case.bench.data.parts["train"]
    return split.labels[rows] if case.settings.on == "y" else split.take(rows)


def applied(noise: Any, x: Any, ctx: NoiseContext) -> Any:
    """Return the noisy batch.

    Raises:
        NotApplicableError: If the extra that the noise needs is not installed.
    """
    try:
        return noise.apply(x, ctx)
    except MissingPluginError as refusal:
        raise NotApplicableError(refusal.message) from refusal


def _apply(case: Case, noise: Any, rows: Tensor, seed: int = 0) -> Any:
    split, classes = case.bench.data.parts["train"], len(case.bench.data.classes)
    return applied(noise, _batch(case, rows), NoiseContext(split.index[rows], split.truth[rows], classes, Draws(seed)))


def _strength(case: Case) -> str:
    """Return the noise's strength: its first numeric setting that is above 0 by default; empty without one."""
    numeric = (
        str(name)
        for name, value in case.settings.model_dump().items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    )
    return next(numeric, "")


def _at(case: Case, share: float) -> Any:
    """Return the noise with a share of its default strength."""
    name = _strength(case)
    value = getattr(case.settings, name)
    part = round(share * value) if isinstance(value, int) else share * value
    return type(case.settings).model_validate({**case.settings.model_dump(), name: part})


ROWS = torch.arange(_BATCH)


def zero_is_identity(case: Case) -> None:
    """Strength 0 leaves the batch as it is.

    If this fails: the first numeric setting above 0 must be the strength; scale everything by it, offsets too.
    """
    apart = difference(_batch(case, ROWS), _apply(case, _at(case, 0.0), ROWS))
    expect(apart == 0, f"with {_strength(case)} = 0 the batch moves by {apart:g} on average")


def grows_with_strength(case: Case) -> None:
    """More strength moves the batch further.

    If this fails: compare the batches at a quarter, a half and all of the default strength.
    """
    clean = _batch(case, ROWS)
    found = [difference(clean, _apply(case, _at(case, share), ROWS)) for share in (0.0, 0.25, 0.5, 1.0)]
    expect(found == sorted(set(found)), f"mean change at 0, 25, 50 and 100 % of {_strength(case)}: {found}")


def keeps_type_shape_range(case: Case) -> None:
    """A noisy batch has the type, number of rows, shape and range of a clean one.

    If this fails: clip to the range of the storage form and cast back to its type.
    """
    classes = len(case.bench.data.classes)
    spec = case.bench.data.input if case.settings.on == "x" else InputSpec((), "int64", 0, classes - 1)
    problem = form_problem(_batch(case, ROWS), _apply(case, case.settings, ROWS), spec)
    expect(not problem, problem)


def same_seed_same_result(case: Case) -> None:
    """The same seed gives each row the same noise, whatever the global generators, order, and, on samples, batch size.

    If this fails: draw from ``ctx.draws``, keyed by ``ctx.index``.
    """
    found = []
    for seed in (1, 2):
        with scoped_globals(seed):
            found.append(numbers(_apply(case, case.settings, ROWS)))
    expect(torch.equal(found[0], found[1]), "two calls with one seed differ")
    alone = [numbers(_apply(case, case.settings, ROWS[i : i + 1])) for i in range(_BATCH)]
    forwards, backwards = (_apply(case, case.settings, rows) for rows in (ROWS, ROWS.flip(0)))
    if case.settings.on == "y":  # all rows come at once
        alone = [numbers(_pick(case, forwards, i)) for i in range(_BATCH)]
    turned = [numbers(_pick(case, backwards, _BATCH - 1 - i)) for i in range(_BATCH)]
    expect(all(torch.equal(a, b) for a, b in zip(alone, turned, strict=True)), "rows depend on their batch")


def _pick(case: Case, x: Any, row: int) -> Any:
    return x[row : row + 1] if case.settings.on == "y" else case.modality.select(x, torch.tensor([row]))


def pure(case: Case) -> None:
    """``apply`` leaves the batch that it is given as it is.

    If this fails: copy the batch before writing into it.
    """
    split, x = case.bench.data.parts["train"], _batch(case, ROWS)
    before = numbers(x).clone()
    ctx = NoiseContext(split.index[ROWS], split.truth[ROWS], len(case.bench.data.classes), Draws(0))
    applied(case.settings, x, ctx)
    expect(torch.equal(numbers(x), before), "the batch was changed in place")


CHECKS = (
    Check(pure),
    Check(zero_is_identity, applies=lambda case: bool(_strength(case))),
    Check(grows_with_strength, applies=lambda case: bool(_strength(case))),
    Check(keeps_type_shape_range),
    Check(same_seed_same_result),
)
