"""The scheduler: hand stages to an executor as their inputs become ready, and tell listeners."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from mbti_core.engine.execute import execute
from mbti_core.engine.executors import BUILT_IN, ExecutorFactory
from mbti_core.engine.graph import Node, Plan, needed
from mbti_core.engine.plan import RunOptions
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError, RunFailedError, near_names
from mbti_core.plugins.manager import Registry
from mbti_core.stages import VERSIONS


class Listener(Protocol):
    """Who wants to hear how a run goes; called in the scheduler's process only."""

    def stage_started(self, node: Node) -> None:
        """Hear that a stage starts."""

    def stage_finished(self, node: Node, seconds: float, cached: bool) -> None:
        """Hear that a stage is complete."""

    def stage_failed(self, node: Node, error: BaseException) -> None:
        """Hear that a stage failed."""

    def epoch(self, node: Node, done: int, total: int) -> None:
        """Hear of an epoch (executor ``serial`` only)."""


@dataclass(frozen=True)
class Failure:
    """A stage that failed; everything that needs it was left out, and what leads nowhere else."""

    node: Node
    error: BaseException


@dataclass
class _Schedule:
    plan: Plan
    store: Store
    options: RunOptions
    registry: Registry
    listener: Listener | None
    failures: list[Failure] = field(default_factory=list)
    running: dict[Future[None], Node] = field(default_factory=dict)

    def work(self, nodes: list[Node], pool: Executor) -> None:
        """Run stages in the plan's order as far as their inputs allow, so that one row after another is complete."""
        waiting = {node.ref: node for node in nodes}
        told = 0
        while waiting or self.running:
            if len(self.failures) > told:
                told = len(self.failures)
                worth = {n.ref for n in needed(self.plan, self.store, {f.node.ref for f in self.failures})}
                waiting = {ref: node for ref, node in waiting.items() if ref in worth}
                continue
            ready = next((n for n in waiting.values() if not self._open_inputs(n, waiting)), None)
            if ready is None or len(self.running) >= max(1, self.options.workers):
                self._collect(timeout=None)
                continue
            del waiting[ready.ref]
            self._submit(ready, pool)
            self._collect(timeout=0)

    def _collect(self, timeout: float | None) -> None:
        """Tell of what is done: at once after a submission, since ``serial`` returns with its work done."""
        done, _ = wait(self.running, timeout, return_when=FIRST_COMPLETED)
        for future in done:
            self._finished(self.running.pop(future), future)

    def _open_inputs(self, node: Node, waiting: Mapping[str, Node]) -> bool:
        busy = {n.ref for n in self.running.values()}
        return any(ref in waiting or ref in busy for ref in node.inputs.values())

    def _submit(self, node: Node, pool: Executor) -> None:
        hook = self.registry.pm.hook
        hook.mbti_before_stage(stage=node.stage, key=node.key, label=node.label)
        if self.listener:
            self.listener.stage_started(node)
        job = partial(execute, node, self.options.store, self.plan.device)
        if self.options.executor == "serial":
            job = partial(job, progress=partial(self._epoch, node), plugins=self.registry)
        try:
            self.running[pool.submit(job)] = node
        except BrokenExecutor as error:
            raise _broken() from error

    def _epoch(self, node: Node, done: int, total: int, _loss: float) -> None:
        if self.listener:
            self.listener.epoch(node, done, total)

    def _finished(self, node: Node, future: Future[None]) -> None:
        hook, error = self.registry.pm.hook, future.exception()
        if isinstance(error, BrokenExecutor):
            raise _broken() from error
        if error is not None:
            self.failures.append(Failure(node, error))
            hook.mbti_on_stage_error(stage=node.stage, key=node.key, label=node.label, error=error)
            if self.listener:
                self.listener.stage_failed(node, error)
            return
        seconds = float(self.store.manifest(node.stage, node.key)["seconds"])
        hook.mbti_after_stage(stage=node.stage, key=node.key, label=node.label, seconds=seconds, cached=False)
        self._log(node)
        if self.listener:
            self.listener.stage_finished(node, seconds, cached=False)

    def _log(self, node: Node) -> None:
        from mbti_core.data.artifacts import load_json  # noqa: PLC0415 - one use

        history = self.store.folder(node.stage, node.key) / "history.json"
        curves = load_json(history) if history.is_file() else {}
        for step in range(max(map(len, curves.values()), default=0)):
            values = {name: curve[step] for name, curve in curves.items() if step < len(curve)}
            self.registry.pm.hook.mbti_log(scope=node.ref, step=step, values=values)


def _broken() -> RunFailedError:
    return RunFailedError(
        "A worker process ended in the middle of a stage: something killed it, often for want of memory.",
        "Run the same command again, with fewer --workers if memory is short: it goes on where it stopped.",
    )


def run_plan(plan: Plan, options: RunOptions, registry: Registry, listener: Listener | None = None) -> list[Failure]:
    """Run what is missing; a failed stage takes along only what needs it, and what leads to nothing else.

    Args:
        plan: Of ``make_plan``.
        options: Where and how.
        registry: Gives executors and hears of stages.
        listener: Shows progress.

    Returns:
        What failed.

    Raises:
        ConfigError: If the executor or a forced stage does not exist.
        StoreError: If the store cannot be written.
    """
    store = Store(options.store)
    _forget(plan, store, options)
    nodes = needed(plan, store)
    if not nodes:
        return []
    store.prepare()
    with _executor(options, registry) as pool:
        schedule = _Schedule(plan, store, options, registry, listener)
        try:
            schedule.work(nodes, pool)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return schedule.failures


def _executor(options: RunOptions, registry: Registry) -> Executor:
    known: dict[str, ExecutorFactory] = dict(BUILT_IN)
    for answer in registry.pm.hook.mbti_executors():
        known |= answer
    if options.executor not in known:
        hint = near_names(options.executor, known) or f"The executors are {', '.join(sorted(known))}."
        raise ConfigError(f"--executor: there is none called {options.executor!r}.", hint)
    return known[options.executor](options.workers)


def _forget(plan: Plan, store: Store, options: RunOptions) -> None:
    """Remove the artifacts of forced stages, and of all that comes after them in this plan."""
    for stage in options.force:
        if stage not in VERSIONS:
            hint = near_names(stage, VERSIONS) or f"The stages are {', '.join(VERSIONS)}."
            raise ConfigError(f"--force: there is no stage called {stage!r}.", hint)
    stale: set[str] = set()
    for ref, node in plan.nodes.items():
        if node.stage in options.force or stale & set(node.inputs.values()):
            stale.add(ref)
            if store.has(node.stage, node.key):
                with store.lock(node.stage, node.key):
                    shutil.rmtree(store.folder(node.stage, node.key))
