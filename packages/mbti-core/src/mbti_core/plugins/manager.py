"""Loading plugins: entry points, blocking, clashes, broken plugins kept with their error, components found by name."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from mbti_core.contracts.component import Component
from mbti_core.errors import ConfigError, MissingPluginError, PluginConflictError, UnknownComponentError, near_names
from mbti_core.plugins import given_hookspecs, hookspecs, sample_hookspecs
from mbti_core.plugins.known import may_offer, package_of_modality, packages_of_kind

if TYPE_CHECKING:
    from mbti_core.contracts.modality import Modality
    from mbti_core.plugins.adapters import Adapters


@dataclass(frozen=True)
class PluginStatus:
    """What ``mbti plugin list`` shows.

    Attributes:
        error: Why its import failed; empty if it works.
        blocked: Whether ``MBTI_DISABLE_PLUGINS`` names it.
    """

    name: str
    distribution: str
    version: str
    module: str
    error: str = ""
    blocked: bool = False
    components: int = 0


@dataclass(frozen=True)
class Registered:
    """A component with the plugin it came from."""

    component: Component
    plugin: str
    distribution: str

    def load(self) -> Any:
        """Import the component's code.

        Raises:
            MissingPluginError: If a package that it needs is missing.
        """
        module, _, name = self.component.target.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError as error:
            extra = self.component.extra
            hint = (
                f'pip install "{extra}"' if extra else f"Check the installation of {self.distribution or self.plugin}."
            )
            raise MissingPluginError(
                f"{self.component.kind} {self.component.id} cannot be imported: {error}.", hint
            ) from error


@dataclass
class Registry:
    """All loaded plugins and their components.

    Args:
        points: Entry points to load; by default those of the installed distributions, and those that
            ``MBTI_EXTRA_PLUGINS=name=module,...`` adds without packaging (child processes load them too).
        blocked: Names to leave out; by default from ``MBTI_DISABLE_PLUGINS``.
    """

    points: list[EntryPoint] = field(default_factory=lambda: _points())
    blocked: frozenset[str] = field(
        default_factory=lambda: frozenset(filter(None, os.environ.get("MBTI_DISABLE_PLUGINS", "").split(",")))
    )

    def __post_init__(self) -> None:
        """Load what is not blocked; keep what fails with its error."""
        self.pm = pluggy.PluginManager(hookspecs.PROJECT)
        for specs in (hookspecs, sample_hookspecs, given_hookspecs):
            self.pm.add_hookspecs(specs)
        self.statuses: list[PluginStatus] = []
        self._components: dict[tuple[str, str], Registered] = {}
        self._add("core", importlib.import_module("mbti_core.plugin"), "mbti-core", _version("mbti-core"))
        for point in self.points:
            self._load(point)
        if os.environ.get("MBTI_TRACE_HOOKS"):
            self.pm.trace.root.setwriter(lambda text: sys.stderr.write(text))
            self.pm.enable_tracing()

    def _load(self, point: EntryPoint) -> None:
        dist, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
        if point.name in self.blocked:
            self.statuses.append(PluginStatus(point.name, dist, version, point.value, blocked=True))
            return
        try:
            self._add(point.name, point.load(), dist, version)
        except PluginConflictError:
            raise
        except Exception as error:  # a broken plugin must not take the others down; it is shown with its error
            if self.pm.has_plugin(point.name):
                self.pm.unregister(name=point.name)
            text = f"{type(error).__name__}: {error}"
            self.statuses.append(PluginStatus(point.name, dist, version, point.value, error=text))

    def _add(self, name: str, module: Any, distribution: str, version: str) -> None:
        if self.pm.has_plugin(name):
            first = next(s.distribution or s.module for s in self.statuses if s.name == name)
            raise PluginConflictError(
                f"Two plugins are called {name!r}: those of {first} and {distribution or module.__name__}.",
                "Uninstall one, or rename the entry point of yours.",
            )
        self.pm.register(module, name=name)
        self.pm.check_pending()
        register = getattr(module, "mbti_register", None)
        found = [Registered(c, name, distribution) for c in (register() if register else ())]
        for entry in found:
            slot = (entry.component.kind, entry.component.id)
            if slot in self._components:
                first = self._components[slot].plugin
                raise PluginConflictError(
                    f"Plugins {first!r} and {name!r} both register the {slot[0]} {slot[1]!r}.",
                    f"Uninstall one, or set MBTI_DISABLE_PLUGINS={name}.",
                )
            self._components[slot] = entry
        self.statuses.append(
            PluginStatus(name, distribution, version, getattr(module, "__name__", name), components=len(found))
        )

    def register(self, module: Any, name: str) -> None:
        """Register a plugin object by hand, for tests and notebooks."""
        self._add(name, module, "", "")
        self.__dict__.pop("modalities", None)

    @cached_property
    def modalities(self) -> Mapping[str, Modality[Any]]:
        """Every modality by name; imports torch.

        Raises:
            PluginConflictError: If two plugins add one of the same name.
        """
        found: dict[str, Modality[Any]] = {}
        for modality in (m for answer in self.pm.hook.mbti_modalities() for m in answer):
            if modality.name in found:
                raise PluginConflictError(
                    f"Two plugins add the modality {modality.name!r}.", "Uninstall one, or set MBTI_DISABLE_PLUGINS."
                )
            found[modality.name] = modality
        return found

    @cached_property
    def adapters(self) -> Adapters:
        """The typed front of the adapter hooks; brings core's structural defaults, so it imports torch."""
        from mbti_core.plugins import structural  # noqa: PLC0415 - keeps torch out of listings
        from mbti_core.plugins.adapters import Adapters  # noqa: PLC0415 - as above

        if not self.pm.is_registered(structural):
            self.pm.register(structural, name="structural")
        return Adapters(self.pm.hook)

    def components(self, kind: str | None = None, modality: str | None = None) -> list[Registered]:
        """List components in order of kind and id; ``any/...`` belongs to every modality."""
        fits = [
            r
            for (k, _), r in self._components.items()
            if (kind is None or k == kind) and (modality is None or r.component.modality in (modality, "any"))
        ]
        return sorted(fits, key=lambda r: (r.component.kind, r.component.id))

    def find(self, kind: str, name: str, modality: str | None = None) -> Registered:
        """Find a component by ``name`` within a modality, or by its full id.

        Raises:
            UnknownComponentError: If no plugin offers it; names near ones.
            MissingPluginError: If nothing of that kind or modality is installed.
        """
        candidates = [name] if "/" in name else [f"{modality}/{name}", f"any/{name}"]
        for candidate in candidates:
            if (kind, candidate) in self._components:
                return self._components[kind, candidate]
        raise self.unknown(kind, name, modality)

    def unknown(self, kind: str, name: str, modality: str | None) -> Exception:
        """Return the error that says why a component is not there: broken, blocked or missing plugin, or wrong name."""
        wanted = name.split("/", 1)[0] if "/" in name else modality
        offered = self.components(kind, wanted)
        head = f"No {kind}{f' for {wanted}' if wanted else ''} is called {name!r}"
        near = near_names(name, [r.component.id if "/" in name else r.component.name for r in offered])
        for status in self.statuses:
            if not (status.error or status.blocked) or not may_offer(status.distribution, kind, wanted):
                continue
            if status.blocked:
                hint = f"{near} MBTI_DISABLE_PLUGINS leaves out {status.name!r}, which may offer it."
                return UnknownComponentError(f"{head}.", hint.strip())
            return MissingPluginError(
                f"{head}, and the plugin {status.name!r}, which may offer it, could not be loaded: {status.error}",
                f"{near} Repair or reinstall {status.distribution or status.module}.".strip(),
            )
        package = package_of_modality(wanted) if wanted else None
        if package and not any(r.component.modality == wanted for r in self.components()):
            return MissingPluginError(f"The modality {wanted!r} needs the package {package}.", f"pip install {package}")
        if not offered and packages_of_kind(kind):
            return MissingPluginError(f"No {kind} is installed.", f"pip install {' or '.join(packages_of_kind(kind))}")
        plural = "datasets" if kind == "dataset" else f"{kind}s"
        return UnknownComponentError(f"{head}.", f"{near} Run 'mbti list {plural}'.".strip())


def _points() -> list[EntryPoint]:
    """List the entry points of the installed distributions and of ``MBTI_EXTRA_PLUGINS``, by name."""
    points = list(entry_points(group="mbti"))
    for item in filter(None, os.environ.get("MBTI_EXTRA_PLUGINS", "").split(",")):
        name, _, module = item.partition("=")
        if not (name and module):
            raise ConfigError(
                f"MBTI_EXTRA_PLUGINS: expected name=module, got {item!r}.", "Write it as in: mine=my_package.plugin"
            )
        points.append(EntryPoint(name, module, "mbti"))
    return sorted(points, key=lambda p: p.name)


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - used once

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


@cache
def registry() -> Registry:
    """Return the registry of this process, loaded on first use."""
    return Registry()
