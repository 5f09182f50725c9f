"""What ``mbti run``, ``sweep`` and ``validate`` do, once torch may be imported."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbti_core.api import Results, run_planned
from mbti_core.cli.console import console, error_document, print_error, print_json, print_table, say
from mbti_core.cli.progress import progress
from mbti_core.engine.config import Choice, Experiment
from mbti_core.engine.graph import Plan, needed, status
from mbti_core.engine.overrides import Override, parse_set
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.problems import SpecError
from mbti_core.engine.runner import Failure
from mbti_core.engine.specfile import load_spec
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError, MbtiError, NotSupportedError, RunFailedError
from mbti_core.plugins.manager import registry

INTERRUPTED = 130
_LABELS = {"defenses": "--defense"}


@dataclass(frozen=True)
class Asked:
    """What the person asked for.

    Attributes:
        sweep: Whether an unsupported defense is an outcome rather than a failure.
        debug: Whether to show tracebacks of errors that a person can mend.
    """

    spec: str | None
    overrides: Sequence[Override]
    sweep: bool
    report: bool
    verbose: bool
    json: bool
    debug: bool


def overrides(flags: Mapping[str, Any], sets: Sequence[str]) -> list[Override]:
    """Return the overrides of flags (by spec key) and of ``--set``, which win.

    Raises:
        ConfigError: If a ``--set`` is malformed.
    """
    given = [Override(_LABELS.get(key, f"--{key}"), (key,), value) for key, value in flags.items() if value]
    return given + [parse_set(text) for text in sets]


def dry_run(asked: Asked, options: RunOptions) -> int:
    """Show each stage as cached, to run, or unsupported."""
    plan = _plan(asked, options)
    stages = status(plan, Store(options.store))
    counts = {word: sum(w == word for _, w in stages) for _, word in stages}
    if asked.json:
        listed = [
            {"stage": n.stage, "label": n.label, "status": w, "key": n.key, "inputs": n.inputs} for n, w in stages
        ]
        print_json({"stages": listed, "counts": counts, "rows": len(plan.rows), "device": plan.device})
    else:
        print_table(("stage", "what", "status", "key"), [(n.stage, n.label, w, n.key[:12]) for n, w in stages])
        say(f"{', '.join(f'{count} {word}' for word, count in counts.items())}; device {plan.device}")
    return 0


def run(asked: Asked, options: RunOptions) -> int:
    """Run what is missing, show the table; return the exit code."""
    plan = _plan(asked, options)
    store = Store(options.store)
    total = None if options.force else len(needed(plan, store))
    try:
        with progress(total, verbose=asked.verbose) as listener:
            results = run_planned(plan, options, registry(), listener, report=asked.report)
    except KeyboardInterrupt:
        done = len(plan.nodes) - len(needed(plan, store))
        complete = f"{done} of {len(plan.nodes)} stages are complete and stay in {options.store}"
        say(f"interrupted: {complete}; the same command goes on from there.")
        return INTERRUPTED
    _show(results, json=asked.json)
    for failure in results.failures:
        _explain(failure, debug=asked.debug)
    return _exit_code(results, sweep=asked.sweep)


def resolved(source: str | None, given: Sequence[Override]) -> list[Experiment]:
    """Read a spec and expand it.

    Raises:
        MbtiError: For everything that is wrong with it.
    """
    return load_spec(source, registry(), given).resolve(registry())


def described(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as plain data: names, and the settings of every component."""
    e = experiment
    parts = {"dataset": [e.dataset], "noise": e.noise, "attack": [e.attack], "model": [e.model], "defenses": e.defenses}
    chosen = {part: [_chosen(c) for c in choices if c is not None] for part, choices in parts.items()}
    train = e.train.model_dump(mode="json")
    return {"name": e.name, "modality": e.modality, "seeds": vars(e.seeds), **chosen, "train": train}


def _chosen(choice: Choice) -> dict[str, Any]:
    component = choice.registered.component
    return {"id": component.id, **choice.options.model_dump(mode="json"), **choice.settings.model_dump(mode="json")}


def problems(error: MbtiError) -> list[dict[str, Any]]:
    """Return what is wrong with a spec as plain data."""
    if isinstance(error, SpecError):
        return [{"path": list(p.path), "place": error.where(p.path), "message": p.text} for p in error.problems]
    return [{"path": [], "place": "", "message": error.message}]


def _plan(asked: Asked, options: RunOptions) -> Plan:
    if asked.sweep and asked.spec is None:
        raise ConfigError(
            "sweep: expected a grid file, got none.", "Name a YAML file with a 'grid:', or use 'mbti run'."
        )
    return make_plan(resolved(asked.spec, asked.overrides), registry(), options)


def _show(results: Results, *, json: bool) -> None:
    if json:
        failures = [
            {"stage": f.node.stage, "key": f.node.key, "label": f.node.label, "error": error_document(f.error)}
            for f in results.failures
        ]
        report = str(results.report) if results.report else None
        print_json({"rows": list(results.rows), "failures": failures, "report": report})
        return
    if any(row["status"] in ("ok", "unsupported") for row in results.rows):
        console().print(results.table().rich())
    if results.report:
        console().print(f"Report: {results.report}", soft_wrap=True)


def _explain(failure: Failure, *, debug: bool) -> None:
    error, node = failure.error, failure.node
    mendable = isinstance(error, MbtiError)
    if debug or not mendable:  # a defect of the program is for its authors to read
        traceback.print_exception(error)
    message = error.message if isinstance(error, MbtiError) else f"{type(error).__name__}: {error}"
    hint = (
        error.hint if isinstance(error, MbtiError) else "What is complete stays; run the same command again to go on."
    )
    print_error(f"{node.stage} {node.label}: {message}", hint)


def _exit_code(results: Results, *, sweep: bool) -> int:
    codes = {
        f.error.exit_code if isinstance(f.error, MbtiError) else RunFailedError.exit_code for f in results.failures
    }
    if codes:
        return codes.pop() if len(codes) == 1 and not sweep else RunFailedError.exit_code
    defended = [row for row in results.rows if row["defense"] != "none"]
    if not sweep and defended and all(row["status"] == "unsupported" for row in defended):
        print_error(str(defended[0]["reason"]), "Choose another defense; 'mbti list defenses' names them.")
        return NotSupportedError.exit_code
    return 0
