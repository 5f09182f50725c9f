"""Which checks concern a plugin, each bound to its case; running them; recording golden numbers."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from mbti_core.errors import MbtiError, MissingPluginError, near_names
from mbti_core.plugins.manager import PluginStatus, Registered, Registry
from mbti_core.testing import toy_plugin
from mbti_core.testing.bench import Bench, NotApplicableError
from mbti_core.testing.checks import adapters, attacks, datasets, defenses, every, models, noises
from mbti_core.testing.checks import golden as recorded
from mbti_core.testing.checks.case import Case, Check, CheckFailedError, PluginCase
from mbti_core.testing.suite import CheckResult, Given

_BY_KIND = {
    "attack": attacks.CHECKS,
    "dataset": datasets.CHECKS,
    "defense": defenses.CHECKS,
    "model": models.CHECKS,
    "noise": noises.CHECKS,
}


@dataclass(frozen=True)
class Planned:
    """One check of one component, ready to run; calling ``run`` raises what it finds."""

    id: str
    learn: bool
    advice: str
    run: Callable[[], None]


def run_check(check: Planned) -> CheckResult:
    """Run one check; an error inside a component is a failure of the check, with its type."""
    start = time.monotonic()
    status: Literal["passed", "failed", "skipped"] = "passed"
    message = ""
    try:
        check.run()
    except NotApplicableError as reason:
        status, message = "skipped", str(reason)
    except CheckFailedError as error:
        status, message = "failed", f"{check.id}: {error}\n  {check.advice}"
    except Exception as error:  # a component may raise anything
        status, message = "failed", f"{check.id}: {_where(error)}\n  {check.advice}"
    return CheckResult(check.id, status, message, time.monotonic() - start)


def _where(error: Exception) -> str:
    """Return an error with the last places that it went through."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = ", ".join(f"{Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames)
    return f"{type(error).__name__}: {error} ({places})"


def plan_checks(
    plugin: str, golden: Path | None = None, registry: Registry | None = None, settings: Given | None = None
) -> list[Planned]:
    """List the checks that concern a plugin and its components.

    Raises:
        MissingPluginError: If no plugin of this name is installed.
    """
    registry = registry or _installed()
    status = _status(registry, plugin)
    if status.error:
        return [Planned(f"{plugin}-loads", False, f"Repair {status.module}.", partial(_raise, status.error))]
    return _Suite(registry, status, golden, settings or {}).planned()


def write_golden(plugin: str, file: Path, registry: Registry | None = None) -> int:
    """Record what a plugin's components give now; return how many records it is.

    Left out are those that need files, or settings that nobody gave.
    """
    registry = registry or _installed()
    records = {}
    for case in _Suite(registry, _status(registry, plugin), file).cases():
        if recorded.applies(case):
            with suppress(NotApplicableError, MbtiError):
                records[recorded.name_of(case)] = recorded.record(case)
    file.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return len(records)


def _installed() -> Registry:
    """Return what is installed, and the toy plugin, on which components of no modality are tried."""
    registry = Registry()
    if not registry.pm.has_plugin("toy"):
        registry.register(toy_plugin, "toy")
    return registry


def _status(registry: Registry, plugin: str) -> PluginStatus:
    found = {s.name: s for s in registry.statuses}
    if plugin not in found or found[plugin].blocked:
        why = "is blocked by MBTI_DISABLE_PLUGINS" if plugin in found else "is not installed"
        raise MissingPluginError(
            f"The plugin {plugin!r} {why}.", near_names(plugin, found) or "Run 'mbti plugin list'."
        )
    return found[plugin]


def _raise(error: str) -> None:
    raise RuntimeError(error)


class _Suite:
    """Builds cases and binds checks to them; one bench per modality serves all."""

    def __init__(
        self, registry: Registry, status: PluginStatus, golden: Path | None, settings: Given = MappingProxyType({})
    ) -> None:
        self.registry, self.status, self.golden, self.settings = registry, status, golden, settings
        self.benches: dict[str, Bench] = {}

    def bench(self, modality: str) -> Bench:
        name = "toy" if modality == "any" else modality
        if name not in self.benches:
            self.benches[name] = Bench(self.registry, name, self.settings)
        return self.benches[name]

    def components(self) -> list[Registered]:
        return [r for r in self.registry.components() if r.plugin == self.status.name]

    def case(self, registered: Registered) -> Case:
        bench = self.bench(registered.component.modality)
        settings = None if registered.component.kind == "metric" else bench.settings(registered)
        return Case(registered, bench, settings)

    def cases(self) -> list[Case]:
        return [self.case(r) for r in self.components()]

    def planned(self) -> list[Planned]:
        whole = PluginCase(self.status, self.registry, self.bench)
        checks = [c for c in (*every.PLUGIN_CHECKS, *adapters.CHECKS) if c.applies(whole)]
        found = [_bound(self.status.name, c, whole) for c in checks]
        for registered in self.components():
            found += self.of(registered)
        return found

    def of(self, registered: Registered) -> list[Planned]:
        id_ = registered.component.id
        first = _bound(id_, every.FIRST, Case(registered, self.bench(registered.component.modality), None))
        if run_check(first).status == "failed":
            return [first]
        case = self.case(registered)
        checks = [*every.CHECKS, *_BY_KIND.get(registered.component.kind, ())]
        found = [first, *(_bound(id_, check, case) for check in checks if check.applies(case))]
        if self.golden is not None and id_ not in self.settings and recorded.applies(case):
            found.append(_bound(id_, Check(recorded.against(self.golden)), case))
        return found


def _bound(prefix: str, check: Check, case: Any) -> Planned:
    return Planned(f"{prefix}-{check.name}", check.learn, check.advice, partial(check.function, case))
