"""Checks of defenses, on a model with the backdoor of the modality's plainest attack."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from mbti_core.contracts.attack import RowKind
from mbti_core.contracts.defense import DefenseOutcome, LabelledSet, Need
from mbti_core.contracts.modality import Held
from mbti_core.data.split import Split
from mbti_core.errors import NotSupportedError
from mbti_core.stages.defend import defend
from mbti_core.stages.train import hold
from mbti_core.testing.bench import CPU, NotApplicableError
from mbti_core.testing.checks.case import Case, Check, expect
from mbti_core.testing.checks.defended import OPTIONS, Run, ask, hooks_on, modes_of, run_of, scene, suspects_of, view_of
from mbti_core.testing.reach import reachable
from mbti_core.training.subject import Subject

_CHANCE = 0.6
_KEPT = 0.1


def yields_what_it_declares(case: Case) -> None:
    """The outcome holds exactly what ``yields`` names.

    If this fails: correct ``yields``; the runner measures everything that is there, and plans by what is declared.
    """
    outcome = run_of(case).outcome
    given = {name for name in ("scores", "verdict", "model", "keep", "filter") if getattr(outcome, name) is not None}
    expect(given == set(case.settings.yields), f"declared {sorted(case.settings.yields)}, gave {sorted(given)}")
    bad = [name for name, value in outcome.notes.items() if not math.isfinite(value)]
    expect(not bad, f"notes that aren't finite numbers: {', '.join(bad)}")


def sees_only_what_it_declares(case: Case) -> None:
    """What isn't in ``needs`` is None in the view, and no way leads from view and context to the ground truth.

    If this fails: the stage hands over too much, or an adapter holds on to the splits that it was asked about.
    """
    backdoored = scene(case)
    view, ctx = view_of(case)
    held = {**vars(view), "model": view.subject}
    given = {name for name in get_args(Need) if held[name] is not None}
    expect(given == set(case.settings.needs), f"declared {sorted(case.settings.needs)}, given {sorted(given)}")
    splits = [backdoored.suspects, backdoored.reserve, *backdoored.tests.values()]
    hidden = {t.data_ptr() for split in splits for t in (split.truth, split.kind)}
    parts = [found for found in reachable(view, ctx) if isinstance(found, Split)]
    expect(not parts, f"a split with its ground truth is in reach: {len(parts)} of them")
    tensors = [found for found in reachable(view, ctx) if isinstance(found, Tensor)]
    expect(not any(t.data_ptr() in hidden for t in tensors), "true labels or kinds of rows are in reach")


def finite_one_score_per_sample(case: Case) -> None:
    """Every suspect row has one finite score; there is a threshold or there are flags; ``keep`` is a mask.

    If this fails: give scores (n,) in the order of ``view.suspects``, and a threshold that flags rows above it.
    """
    run = run_of(case)
    n, outcome = len(suspects_of(run.view).y), run.outcome
    scores = outcome.scores
    expect(scores is not None and tuple(scores.shape) == (n,), f"expected ({n},) scores, got {_shape(scores)}")
    assert scores is not None
    expect(bool(scores.isfinite().all()), f"{int((~scores.isfinite()).sum())} scores aren't finite")
    expect(outcome.threshold is not None or outcome.flags is not None, "there is neither a threshold nor flags")
    expect(outcome.threshold is None or math.isfinite(outcome.threshold), f"the threshold is {outcome.threshold}")
    for name, mask in (("flags", outcome.flags), ("keep", outcome.keep)):
        fits = mask is None or (tuple(mask.shape) == (n,) and mask.dtype == torch.bool)
        expect(fits, f"expected {name} as ({n},) bool, got {_shape(mask)}")


def _shape(x: Tensor | None) -> str:
    return "nothing" if x is None else f"{tuple(x.shape)} {x.dtype}"


def leaves_model_and_mode_unchanged(case: Case) -> None:
    """The model in the view keeps its weights, buffers and modes, and no hook stays on it.

    If this fails: work on ``copy.deepcopy(model)``; ask through ``subject``, which restores modes;
    remove hooks in ``finally``.
    """
    run = run_of(case)
    assert run.view.subject is not None
    model = run.view.subject.model
    now = model.state_dict()
    changed = [name for name, before in run.weights.items() if not torch.equal(before, now[name])]
    expect(not changed, f"changed: {', '.join(changed[:5])}")
    moved = [name or "the model" for name, mode in modes_of(model).items() if run.modes[name] != mode]
    expect(not moved, f"another mode: {', '.join(moved[:5])}")
    expect(hooks_on(model) == run.hooks, "hooks stay on the model")
    expect(all(p.grad is None for p in model.parameters()), "gradients stay on the model")


def input_model_untouched(case: Case) -> None:
    """The model in the view keeps its weights, buffers and modes, and no hook stays on it.

    If this fails: work on ``copy.deepcopy(model)``, and give the copy back.
    """
    leaves_model_and_mode_unchanged(case)


@dataclass(frozen=True)
class _Shuffled:
    """A held column in another order."""

    base: Held[Any]
    order: Tensor

    def __len__(self) -> int:
        return len(self.order)

    def take(self, rows: Tensor) -> Any:
        return self.base.take(self.order[rows])

    def lengths(self) -> Tensor | None:
        lengths = self.base.lengths()
        return None if lengths is None else lengths[self.order.to(lengths.device)]


def batch_size_independent(case: Case) -> None:
    """A row's score doesn't depend on which other rows share its batch: suspects in another order score the same.

    If this fails: ask in eval mode, key draws by ``suspects.index``, and compute nothing over a batch.
    """
    run = run_of(case)
    view, ctx = view_of(case)
    suspects = suspects_of(view)
    order = torch.argsort(ctx.draws.stream("another order").bits(suspects.index))
    moved = LabelledSet(_Shuffled(suspects.x, order), suspects.y[order], suspects.index[order])
    known = view.features
    view = replace(view, suspects=moved) if view.suspects else replace(view, inputs=moved)
    view = replace(view, features=(lambda: known()[order]) if known else None)
    again = ask(case, view, ctx).scores
    assert again is not None
    before = _scores(run)[order]
    scale = float(before.abs().max()) or 1.0
    apart = float((again - before).abs().max()) / scale
    expect(apart <= 1e-3, f"scores differ by up to {apart:.2g} of their range")


def _scores(run: Run) -> Tensor:
    assert run.outcome.scores is not None
    return run.outcome.scores


def beats_chance_on_toy(case: Case) -> None:
    """Poisoned rows score above clean ones: AUROC at least 0.6 (trait ``weak`` lifts this).

    If this fails: check the sign of the score (higher is more suspicious); if the method is no better by nature, say so
    with the trait ``weak``.
    """
    backdoored = scene(case)
    result = defend(backdoored, case.component.id, case.settings, OPTIONS, 0)
    if result.facts.get("unsupported"):
        raise NotApplicableError(result.facts["unsupported"])
    kind = backdoored.suspects.kind[result.arrays["rows"]]
    judged = kind != RowKind.COVER
    auroc = float(roc_auc_score(kind[judged] == RowKind.POISONED, result.arrays["scores"][judged]))
    expect(auroc >= _CHANCE, f"expected an AUROC of at least {_CHANCE}, got {auroc:.3f}")


def returns_new_module(case: Case) -> None:
    """The repaired model is another module that shares no tensor with the given one, and takes the same inputs.

    If this fails: return ``copy.deepcopy(model)`` with its repair, in eval mode.
    """
    run = run_of(case)
    given, made = run.view.subject, run.outcome.model
    assert made is not None
    expect(not any(m.training for m in made.modules()), "the repaired model is in train mode")
    if given is not None:
        expect(made is not given.model, "it is the same module")
        old = {t.data_ptr() for t in given.model.state_dict().values() if t.numel()}
        shared = [name for name, t in made.state_dict().items() if t.numel() and t.data_ptr() in old]
        expect(not shared, f"shared tensors: {', '.join(shared[:5])}")


def verdict_is_well_formed(case: Case) -> None:
    """The verdict has a finite score and names classes that exist; per-class scores are one per class.

    If this fails: give ``Verdict(score, backdoored, targets, per_class)`` with targets in [0, C).
    """
    verdict, classes = run_of(case).outcome.verdict, len(case.bench.data.classes)
    assert verdict is not None
    expect(math.isfinite(verdict.score), f"the score is {verdict.score}")
    expect(all(0 <= t < classes for t in verdict.targets), f"targets {verdict.targets} with {classes} classes")
    expect(len(verdict.per_class) in (0, classes), f"{len(verdict.per_class)} scores for {classes} classes")


def clean_accuracy_kept_on_toy(case: Case) -> None:
    """The repaired or filtered model loses at most 10 points of clean accuracy (trait ``lossy`` lifts this).

    If this fails: the repair is too strong for a small model; scale it by what the model's recipe says. If a filter
    takes something of every sample, which small ones have none to spare of, say so with the trait ``lossy``.
    """
    run, bench = run_of(case), case.bench
    test = bench.data.parts["test"]
    before = bench.accuracy(bench.victim(bench.reference_attack), test)
    after = _accuracy(bench.smallest.around(run.outcome.model or _model(case)), run.outcome, test)
    expect(after >= before - _KEPT, f"expected at least {before - _KEPT:.3f}, got {after:.3f}")


def _model(case: Case) -> nn.Module:
    return case.bench.smallest.load(case.bench.victim(case.bench.reference_attack).weights).model


def _accuracy(subject: Subject, outcome: DefenseOutcome, test: Split[Any]) -> float:
    held = hold(test, subject.model, CPU)
    clean = outcome.filter or (lambda x: x)
    found = [subject.logits(clean(held.x.take(rows))).argmax(1) for rows in torch.split(torch.arange(len(test)), 128)]
    return float((torch.cat(found) == held.y).double().mean())


class _Opaque(nn.Module):
    """A model without any layer that a method could take hold of."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 7 * classes).view(7, classes).cos())

    def forward(self, x: Tensor) -> Tensor:
        """Return logits from seven means of the input."""
        parts = x.flatten(1).float().chunk(7, dim=1)
        return torch.stack([p.mean(1) for p in parts], dim=1) @ self.weight


def unsupported_is_declared(case: Case) -> None:
    """On a model without any layer to take hold of, the method works, or raises ``NotSupportedError`` and nothing else.

    If this fails: ask ``ctx.adapters``, which refuse in the right way; where an answer is empty, raise
    ``NotSupportedError`` with what the model lacks.
    """
    view, ctx = view_of(case)
    assert view.subject is not None
    if not isinstance(view.subject.encode(_batch_of(case)), Tensor):
        raise NotApplicableError("the modality's inputs are no tensors")
    opaque = view.subject.with_model(_Opaque(ctx.info.num_classes))
    opaque = replace(opaque, info=replace(opaque.info, arch=f"{opaque.info.modality}/opaque"))
    ctx = replace(ctx, info=opaque.info)
    factory = (lambda: opaque) if view.model_factory else None
    try:
        case.settings.defend(replace(view, subject=opaque, model_factory=factory), ctx)
    except NotSupportedError as error:
        expect(bool(error.message), "the error says nothing")
    except Exception as error:  # whatever it is, a user would see its traceback
        expect(False, f"{type(error).__name__}: {error}")


def _batch_of(case: Case) -> Any:
    return case.bench.data.parts["test"].take(torch.arange(2))


def _detects(case: Case) -> bool:
    return "scores" in case.settings.yields


def _beats_chance(case: Case) -> bool:
    return _detects(case) and "weak" not in case.component.traits


def _sees_model(case: Case) -> bool:
    return "model" in case.settings.needs


def _judges_model(case: Case) -> bool:
    return _sees_model(case) and bool({"model", "verdict"} & case.settings.yields)


def _repairs(case: Case) -> bool:
    return "model" in case.settings.yields


def _keeps_accuracy(case: Case) -> bool:
    return bool({"model", "filter"} & case.settings.yields) and "lossy" not in case.component.traits


CHECKS = (
    Check(sees_only_what_it_declares, learn=True),
    Check(yields_what_it_declares, learn=True),
    Check(finite_one_score_per_sample, learn=True, applies=_detects),
    Check(
        leaves_model_and_mode_unchanged, learn=True, applies=lambda case: _sees_model(case) and not _judges_model(case)
    ),
    Check(batch_size_independent, learn=True, applies=_detects),
    Check(beats_chance_on_toy, learn=True, applies=_beats_chance),
    Check(input_model_untouched, learn=True, applies=_judges_model),
    Check(returns_new_module, learn=True, applies=_repairs),
    Check(verdict_is_well_formed, learn=True, applies=lambda case: "verdict" in case.settings.yields),
    Check(clean_accuracy_kept_on_toy, learn=True, applies=_keeps_accuracy),
    Check(unsupported_is_declared, learn=True, applies=_sees_model),
)
