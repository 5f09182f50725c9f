"""The Python face: one call from a spec to results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.engine.store import Store

if TYPE_CHECKING:
    from mbti_core.engine.graph import Plan
    from mbti_core.engine.plan import RunOptions
    from mbti_core.engine.runner import Failure, Listener
    from mbti_core.judging.verdict import Scan
    from mbti_core.plugins.manager import Registry
    from mbti_core.results.table import ResultTable


@dataclass(frozen=True)
class Results:
    """What a run gave.

    Attributes:
        rows: One flat row per experiment, seed and defense.
        failures: Stages that failed, with their errors.
        report: The HTML page; None if none was asked for, or nothing is complete.
    """

    rows: Sequence[Mapping[str, Any]]
    failures: Sequence[Failure] = ()
    report: Path | None = None

    def table(self) -> ResultTable:
        """Return the table of all rows."""
        from mbti_core.results.table import ResultTable  # noqa: PLC0415 - listings need no tables

        return ResultTable([dict(row) for row in self.rows])


def default_data_root() -> Path:
    """Return ``MBTI_DATA``, else the user's data folder."""
    from platformdirs import user_data_dir  # noqa: PLC0415 - one use

    return Path(os.environ.get("MBTI_DATA") or user_data_dir("mbti"))


def default_store() -> Path:
    """Return ``MBTI_STORE``, else ``runs`` in the working folder: results belong to a project, not to a cache."""
    return Path(os.environ.get("MBTI_STORE") or "runs")


def run(
    spec: str | Path | Mapping[str, Any] | None = None,
    *,
    data_root: str | Path | None = None,
    store: str | Path | None = None,
    device: str = "auto",
    executor: str = "serial",
    workers: int = 1,
    threads: int | None = None,
    report: bool = True,
    listener: Listener | None = None,
    registry: Registry | None = None,
) -> Results:
    """Run every experiment of a spec; what is already in the store is not run again.

    Args:
        spec: A YAML file, the same as a mapping, or None for the built-in experiment.
        data_root: Where data sets are; by default ``MBTI_DATA``, else the user's data folder.
        store: Root of the store; by default ``MBTI_STORE``, else ``runs``.
        device: ``auto``, ``cpu``, ``cuda:0``.
        executor: ``serial``, ``processes``, or one that a plugin brings.
        workers: How many stages at once.
        threads: Of each stage; all cores (up to 8) by default.
        report: Whether to write the HTML page.
        listener: Hears how the run goes.
        registry: Where components are found; by default that of this process.

    Returns:
        Rows, failures, and the path of the report.

    Raises:
        MbtiError: For every mistake in the spec or its data.
    """
    from mbti_core.engine.plan import RunOptions, make_plan  # noqa: PLC0415 - the command line starts without torch
    from mbti_core.engine.specfile import load_spec  # noqa: PLC0415 - as above
    from mbti_core.plugins.manager import registry as of_this_process  # noqa: PLC0415 - as above

    plugins = registry or of_this_process()
    options = RunOptions(
        store=Path(store) if store else default_store(),
        data_root=Path(data_root) if data_root else default_data_root(),
        device=device,
        threads=threads,
        executor=executor,
        workers=workers,
    )
    plan = make_plan(load_spec(spec, registry=plugins).resolve(plugins), plugins, options)
    return run_planned(plan, options, plugins, listener, report=report)


def scan(
    model: str | Path,
    data: str | Path,
    clean: str | Path | None = None,
    *,
    arch: str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    defenses: Sequence[str] = (),
    rows: int = 50_000,
    costly_rows: int = 2_000,
    device: str = "auto",
    seed: int = 0,
    registry: Registry | None = None,
) -> Scan:
    """Judge a model and the data it was trained on, without knowing what was done to them; nothing is written.

    Args:
        model: A file or folder with the model.
        data: A file or folder with the samples.
        clean: The same with samples that can be trusted.
        arch: The architecture, where the model's files do not say it.
        settings: Further settings, by ``model`` or the name of a defense.
        defenses: Which to run; by default all that judge, but for those that train a model anew.
        rows: At most so many samples are looked at.
        costly_rows: At most so many by a defense that takes many forward passes for each.
        device: ``auto``, ``cpu``, ``cuda:0``.
        seed: Of all draws.
        registry: Where components are found; by default that of this process.

    Returns:
        The verdict, its reasons, what each defense says, and the samples, the most suspicious first.

    Raises:
        MbtiError: For everything that cannot be read.
    """
    from mbti_core.judging.case import Asked  # noqa: PLC0415 - imports torch
    from mbti_core.judging.scanning import scan as judged  # noqa: PLC0415 - as above
    from mbti_core.plugins.manager import registry as of_this_process  # noqa: PLC0415 - as above

    asked = Asked(
        Path(model),
        Path(data),
        Path(clean) if clean else None,
        arch,
        settings or {},
        tuple(defenses),
        rows,
        costly_rows,
        seed,
    )
    return judged(asked, registry or of_this_process(), device, lambda name: None)


def run_planned(
    plan: Plan, options: RunOptions, registry: Registry, listener: Listener | None = None, *, report: bool
) -> Results:
    """Run a plan and collect its rows; what the command line and ``run`` share."""
    from mbti_core.engine.graph import needed  # noqa: PLC0415 - as above

    failures: Sequence[Failure] = []
    if options.force or needed(plan, Store(options.store)):
        from mbti_core.engine.runner import run_plan  # noqa: PLC0415 - a finished run loads nothing of this

        failures = run_plan(plan, options, registry, listener)
    rows = collect_rows(plan, Store(options.store), failures)
    page = None
    if report and any(row["status"] == "ok" for row in rows):
        from mbti_core.results.page import write_page  # noqa: PLC0415 - as above

        page = write_page(plan, rows, Store(options.store), registry)
    return Results(rows, failures, page)


def collect_rows(plan: Plan, store: Store, failures: Sequence[Failure] = ()) -> list[dict[str, Any]]:
    """Return one row per planned row: measured, or with why it is missing."""
    rows = []
    for planned in plan.rows:
        stage, key = planned.ref.split("/")
        if store.has(stage, key):
            rows.append(store.row(key) | planned.about)
        else:
            reason = _reason(plan, planned.ref, failures)
            rows.append({**planned.about, "status": "failed" if reason else "missing", "reason": reason})
    return rows


def _reason(plan: Plan, ref: str, failures: Sequence[Failure]) -> str | None:
    failed = {failure.node.ref: str(failure.error).splitlines()[0] for failure in failures}
    pending = [ref]
    while pending:
        at = pending.pop()
        if at in failed:
            return failed[at]
        pending += plan.nodes[at].inputs.values()
    return None
