"""The conformance kit: every check of every component of a plugin, as tests or as a list of results.

Importing it imports neither torch nor pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mbti_core.errors import near_names

if TYPE_CHECKING:
    from mbti_core.plugins.manager import Registry
    from mbti_core.testing.planning import Planned


Given = Mapping[str, Mapping[str, object]]
"""Settings by component id."""


@dataclass(frozen=True)
class CheckResult:
    """What one check said.

    Attributes:
        id: ``component-check``, or ``plugin-check`` for what concerns the whole plugin.
        status: ``skipped`` where a check cannot say anything, with the reason as its message.
        message: What was found, and what to do; empty if it passed.
        seconds: Wall time.
    """

    id: str
    status: Literal["passed", "failed", "skipped"]
    message: str
    seconds: float


def conformance(
    plugin: str,
    *,
    xfail: Mapping[str, str] | None = None,
    golden: Path | None = None,
    settings: Given | None = None,
    registry: Registry | None = None,
) -> Callable[..., None]:
    """Return a pytest function that runs every check of a plugin, one test id per component and check.

    Example::

        test_conformance = conformance("mine", xfail={"image/stripe-order_independent": "uses a running mean"})

    Args:
        plugin: Name of the plugin's entry point.
        xfail: Reason by test id, for checks that are known to fail; one that passes is an error.
        golden: File with recorded results; without it nothing is compared with earlier versions.
        settings: By component id, where a check would wait too long for what the defaults learn; its results are then
            not compared with recorded ones.
        registry: Where to look; by default what is installed, and the toy plugin.

    Raises:
        ValueError: If ``xfail`` has an empty reason or an id that doesn't exist, or ``settings`` such an id.
    """
    import pytest  # noqa: PLC0415 - no dependency of the core

    from mbti_core.testing import planning  # noqa: PLC0415 - imports torch
    from mbti_core.testing.bench import NotApplicableError  # noqa: PLC0415 - imports torch
    from mbti_core.testing.checks.case import CheckFailedError  # noqa: PLC0415 - imports torch

    planned = planning.plan_checks(plugin, golden, registry, settings)
    expected = dict(xfail or {})
    _known_reasons(expected, [p.id for p in planned])
    _known_components(settings or {}, {p.id.rpartition("-")[0] for p in planned})
    parameters = []
    for check in planned:
        marks = [pytest.mark.learn] if check.learn else []
        if check.id in expected:
            marks.append(pytest.mark.xfail(reason=expected[check.id], strict=True))
        parameters.append(pytest.param(check, id=check.id, marks=marks))

    @pytest.mark.parametrize("check", parameters)
    def test_conformance(check: Planned) -> None:
        try:
            check.run()
        except NotApplicableError as reason:
            pytest.skip(str(reason))
        except CheckFailedError as error:
            pytest.fail(f"{check.id}: {error}\n  {check.advice}", pytrace=False)
        except Exception as error:
            error.add_note(check.advice)
            raise

    return test_conformance


def _known_reasons(expected: Mapping[str, str], ids: list[str]) -> None:
    for id_, reason in expected.items():
        if not reason.strip():
            raise ValueError(f"xfail {id_!r}: expected a reason, got nothing")
        if id_ not in ids:
            raise ValueError(f"xfail {id_!r}: there is no such check. {near_names(id_, ids)}".strip())


def _known_components(settings: Given, ids: set[str]) -> None:
    for id_ in settings:
        if id_ not in ids:
            raise ValueError(f"settings {id_!r}: there is no such component. {near_names(id_, ids)}".strip())


def run_checks(plugin: str, *, golden: Path | None = None, registry: Registry | None = None) -> list[CheckResult]:
    """Run every check of a plugin without pytest, for ``mbti plugin check``.

    Args:
        plugin: Name of the plugin's entry point.
        golden: As for ``conformance``.
        registry: As for ``conformance``.

    Raises:
        MissingPluginError: If no plugin of this name is installed.
    """
    from mbti_core.testing import planning  # noqa: PLC0415 - imports torch

    return [planning.run_check(check) for check in planning.plan_checks(plugin, golden, registry)]


def write_golden(plugin: str, file: Path, *, registry: Registry | None = None) -> int:
    """Record what a plugin's components give now; return how many records there are.

    Args:
        plugin: Name of the plugin's entry point.
        file: Where to write; what is there is replaced.
        registry: As for ``conformance``.
    """
    from mbti_core.testing import planning  # noqa: PLC0415 - imports torch

    return planning.write_golden(plugin, file, registry)
