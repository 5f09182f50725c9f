"""Checks of a plugin's answers to adapter hooks, on its own modalities."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import torch
from torch import Tensor, nn

from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.contracts.trigger_space import Family, TriggerSpace
from mbti_core.data.rng import Draws
from mbti_core.errors import NotSupportedError
from mbti_core.stages.train import hold
from mbti_core.testing.bench import Bench
from mbti_core.testing.checks.case import Check, PluginCase, expect
from mbti_core.testing.compare import difference, form_problem
from mbti_core.training.subject import Subject

_ADAPTERS = (
    "feature_layer",
    "prunable_layers",
    "input_shape",
    "trigger_space",
    "superimpose",
    "amplify",
    "occlude",
    "embedding_layer",
    "head",
    "augment",
    "render",
    "difference",
    "picture",
    "files",
    "fidelity",
    "recipe",
)
_BATCH = 8


def _implementations(case: PluginCase) -> dict[str, Callable[..., Any]]:
    """Return the plugin's own implementations of adapter hooks, by name."""
    plugin = case.registry.pm.get_plugin(case.status.name)
    found = {}
    for name in _ADAPTERS:
        function = getattr(plugin, f"mbti_{name}", None)
        if function is not None:
            found[name] = function
    return found


def _modalities(case: PluginCase) -> list[str]:
    """Return the modalities that the plugin adds."""
    plugin = case.registry.pm.get_plugin(case.status.name)
    return [modality.name for modality in getattr(plugin, "mbti_modalities", list)()]


def _benches(case: PluginCase) -> Iterator[Bench]:
    return (case.bench(name) for name in _modalities(case))


def _adds_and_answers(hook: str) -> Callable[[PluginCase], bool]:
    return lambda case: hook in _implementations(case) and bool(_modalities(case))


def none_for_foreign_arch(case: PluginCase) -> None:
    """Every adapter hook answers None for a modality and an architecture that the plugin doesn't know.

    If this fails: begin with ``if modality != "mine": return None`` (or the same with ``info.modality``).
    """
    spec = InputSpec((3,), "float32", 0, 1)
    arguments: dict[str, Any] = {
        "model": nn.Sequential(nn.Linear(3, 2)),
        "info": ModelInfo("foreign/net", "foreign", spec, 2),
        "spec": spec,
        "x": torch.zeros(2, 3),
        "y": torch.zeros(2, 3),
        "rows": [torch.zeros(2, 3)],
        "other": torch.zeros(2, 3),
        "index": torch.arange(2),
        "modality": "foreign",
        "weight": None,
        "factor": 2.0,
        "strength": 1.0,
        "facts": {},
        "family": "mask",
        "draws": Draws(0),
    }
    for name, function in _implementations(case).items():
        wanted = inspect.signature(function).parameters
        answer = function(**{k: v for k, v in arguments.items() if k in wanted})
        expect(answer is None, f"mbti_{name} gave {type(answer).__name__} for the modality 'foreign'")


def _case(bench: Bench) -> tuple[Subject, Any]:
    """Return an untrained subject and a batch in the form that hooks see."""
    subject = bench.started(bench.smallest.fresh(0))
    subject.model.eval()
    held = hold(bench.data.parts["test"], subject.model, subject.device, torch.arange(_BATCH)).x
    return subject, held.take(torch.arange(_BATCH))


def _same_answer(subject: Subject, x: Any, y: Any, what: str) -> None:
    apart = float((subject.logits(x) - subject.logits(y)).abs().max())
    expect(apart <= 1e-4, f"the model's logits move by up to {apart:g} under {what}")


def superimpose_zero_is_identity(case: PluginCase) -> None:
    """Superposition with weight 0 leaves x as it is; with the default weight it doesn't.

    If this fails: scale the other sample by the weight, and take the default only where the weight is None.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        index = torch.arange(_BATCH)
        other = bench.data.parts["train"].take(index)
        ask = subject.adapters.superimpose
        _same_answer(subject, x, ask(x, other, index, bench.name, 0.0, Draws(0)), "weight 0")
        mixed = ask(x, other, index, bench.name, None, Draws(0))
        moved = float((subject.logits(x) - subject.logits(mixed)).abs().max())
        expect(moved > 0, "the default weight changes nothing")


def amplify_one_is_identity(case: PluginCase) -> None:
    """Amplification by 1 leaves x as it is.

    If this fails: multiply by the factor, and round only what was not whole before.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        _same_answer(subject, x, subject.adapters.amplify(x, bench.name, 1.0), "factor 1")


def augment_keeps_type_shape_range(case: PluginCase) -> None:
    """Augmented samples have the type, shape and range of the originals, and repeat by key.

    If this fails: key every draw by ``index``, clip to the range, and leave x itself alone.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        index = torch.arange(_BATCH)
        one, same = (
            subject.adapters.augment(x, index, bench.name, 1.0, Draws(0), subject.info.facts) for _ in range(2)
        )
        problem = form_problem(x, one, bench.data.input)
        expect(not problem, problem)
        _same_answer(subject, one, same, "the same draws")


def render_gives_one_per_row(case: PluginCase) -> None:
    """Rendering gives one fragment of HTML per row that stands on its own, each with a caption.

    If this fails: put pictures and sounds into the fragment as ``data:`` URLs.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        pages = subject.adapters.render(x, bench.name)
        expect(len(pages) == _BATCH, f"expected {_BATCH} renderings, got {len(pages)}")
        for page in pages:
            expect(bool(page.html and page.caption), "a rendering is empty")
            outside = any(word in page.html for word in ('src="http', "src='http", "<script"))
            expect(not outside, "a rendering loads something from outside, or runs a script")


def files_tell_samples_apart(case: PluginCase) -> None:
    """Samples as files: one per row, the same again for the same sample, another for another one.

    If this fails: write the sample itself, without times or random names.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        (ending, files), (_, again), (_, moved) = (
            subject.adapters.files(y, bench.name) for y in (x, x, _changed(bench, x))
        )
        expect(ending.startswith("."), f"expected an ending like '.png', got {ending!r}")
        expect(len(files) == _BATCH, f"expected {_BATCH} files, got {len(files)}")
        expect(list(files) == list(again), "a sample's file is another one the second time")
        expect([*files[-1:], *files[:-1]] == list(moved), "a sample's file depends on its place in the batch")


def _spaces(bench: Bench) -> Iterator[tuple[Subject, Any, TriggerSpace]]:
    """Yield each family of triggers that the plugin offers, with an untrained subject and a batch."""
    subject, x = _case(bench)
    spec = subject.adapters.input_shape(subject.info)
    for family in get_args(Family):
        with suppress(NotSupportedError):
            yield subject, x, subject.adapters.trigger_space(subject.model, subject.info, spec, family)


def _changed(bench: Bench, x: Any) -> Any:
    return bench.registry.modalities[bench.name].select(x, torch.arange(_BATCH).roll(1))


def difference_is_still_where_nothing_changed(case: PluginCase) -> None:
    """Differences have the type, shape and range of samples, and are larger where more changed.

    If this fails: put the middle of the range where nothing changed, and clip to the range.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        none, some = (subject.adapters.difference(x, y, bench.name, 10.0) for y in (x, _changed(bench, x)))
        for found in (none, some):
            problem = form_problem(x, found, bench.data.input)
            expect(not problem, problem)
        expect(difference(none, some) > 0, "a changed batch looks like an unchanged one")


def fidelity_gives_a_number_per_row(case: PluginCase) -> None:
    """Every measure of fidelity is one finite number per row, for unchanged rows too.

    If this fails: cap what is infinite for equal samples, and reduce over all axes but the first.
    """
    for bench in _benches(case):
        subject, x = _case(bench)
        for y in (x, _changed(bench, x)):
            for name, values in subject.adapters.fidelity(x, y, bench.name).items():
                expect(
                    tuple(values.shape) == (_BATCH,), f"{name}: expected {_BATCH} numbers, got {tuple(values.shape)}"
                )
                expect(bool(values.isfinite().all()), f"{name} is not finite")


def trigger_space_zero_is_identity_and_differentiable(case: PluginCase) -> None:
    """Lifting without a trigger leaves the logits as they are; with one, every parameter gets a finite gradient.

    If this fails: lift to what the model computes with, and apply the trigger by differentiable operations.
    """
    for subject, x, space in (found for bench in _benches(case) for found in _spaces(bench)):
        lifted = space.lift(subject.model, subject.encode(x))
        apart = float((space.logits(subject.model, lifted).detach() - subject.logits(x)).abs().max())
        expect(apart <= 1e-4, f"lifting alone moves the logits by up to {apart:g}")
        params = {name: t.detach().clone().requires_grad_() for name, t in space.initial(Draws(0)).items()}
        loss = space.logits(subject.model, space.apply(lifted, params)).square().sum() + space.size(params)
        grads = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
        _finite_and_used(dict(zip(params, grads, strict=True)))


def trigger_space_takes_stacked_triggers(case: PluginCase) -> None:
    """Two triggers stacked as (2, 1, ...) give what each of them gives alone: samples, sizes and logits.

    If this fails: let parameters have no batch axis, apply them by broadcasting, and sum sizes over their own axes.
    """
    for subject, x, space in (found for bench in _benches(case) for found in _spaces(bench)):
        lifted = space.lift(subject.model, subject.encode(x))
        two = [space.initial(Draws(seed)) for seed in (0, 1)]
        both = {name: torch.stack([params[name] for params in two])[:, None] for name in two[0]}
        pairs = [
            (space.apply(lifted, both), [space.apply(lifted, params) for params in two]),
            (space.size(both)[:, 0], [space.size(params) for params in two]),
        ]
        pairs.append((space.logits(subject.model, pairs[0][0]), [space.logits(subject.model, t) for t in pairs[0][1]]))
        for stacked, apart in pairs:
            expect(torch.allclose(stacked, torch.stack(apart), rtol=1e-3, atol=1e-4), "stacked triggers act otherwise")


def a_trigger_is_shown_as_one_sample(case: PluginCase) -> None:
    """What a family shows of a trigger is one sample in storage form, in range, that the modality can keep.

    The nearest discrete form of a trigger is shown like the trigger; it and the others are triggers.

    If this fails: return a batch of one, rounded and clipped as the modality stores it, of what ``discrete`` keeps.
    """
    for bench in _benches(case):
        spec, modality = bench.data.input, bench.registry.modalities[bench.name]
        for subject, x, space in _spaces(bench):
            params = space.initial(Draws(0))
            seen, discrete = space.shown(subject.model, params), list(space.discrete(params))
            apart = difference(seen, space.shown(subject.model, discrete[0]))
            expect(not apart, f"the discrete form of a trigger is shown otherwise, by {apart:g}")
            lifted = space.lift(subject.model, subject.encode(x))
            held = [space.logits(subject.model, space.apply(lifted, form)) for form in discrete]
            expect(all(bool(found.isfinite().all()) for found in held), "a discrete trigger gives no finite logits")
            problem = form_problem(modality.select(x, torch.arange(1)), seen, spec)
            expect(not problem, problem)
            with TemporaryDirectory() as folder:
                modality.write([seen], Path(folder), 1)
                problem = form_problem(seen, modality.open(Path(folder)).take(torch.arange(1)), spec)
                expect(not problem, problem)


def _finite_and_used(grads: dict[str, Tensor | None]) -> None:
    for name, grad in grads.items():
        expect(grad is not None and bool(grad.isfinite().all()), f"the parameter {name!r} has no finite gradient")
    expect(any(grad is not None and bool(grad.any()) for grad in grads.values()), "every gradient is zero")


CHECKS = (
    Check(none_for_foreign_arch, applies=lambda case: bool(_implementations(case))),
    Check(superimpose_zero_is_identity, applies=_adds_and_answers("superimpose")),
    Check(amplify_one_is_identity, applies=_adds_and_answers("amplify")),
    Check(augment_keeps_type_shape_range, applies=_adds_and_answers("augment")),
    Check(render_gives_one_per_row, applies=_adds_and_answers("render")),
    Check(difference_is_still_where_nothing_changed, applies=_adds_and_answers("difference")),
    Check(fidelity_gives_a_number_per_row, applies=_adds_and_answers("fidelity")),
    Check(files_tell_samples_apart, applies=_adds_and_answers("files")),
    Check(trigger_space_zero_is_identity_and_differentiable, applies=_adds_and_answers("trigger_space")),
    Check(trigger_space_takes_stacked_triggers, applies=_adds_and_answers("trigger_space")),
    Check(a_trigger_is_shown_as_one_sample, applies=_adds_and_answers("trigger_space")),
)
