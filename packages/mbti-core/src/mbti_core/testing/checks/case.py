"""What a check gets, and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mbti_core.contracts.component import Component
from mbti_core.contracts.modality import Modality
from mbti_core.plugins.manager import PluginStatus, Registered, Registry
from mbti_core.testing.bench import Bench


class CheckFailedError(AssertionError):
    """A component does not hold what its contract promises."""


@dataclass(frozen=True)
class Case:
    """One component under test, with a bench of its modality.

    Attributes:
        registered: The component.
        bench: Small data and models; for ``any/...`` those of the toy modality.
        settings: The component's settings object; for a model that of its factory's keywords.
    """

    registered: Registered
    bench: Bench
    settings: Any

    @property
    def component(self) -> Component:
        """The component's line in its plugin's table of contents."""
        return self.registered.component

    @property
    def modality(self) -> Modality[Any]:
        """How samples are stored and joined."""
        return self.bench.registry.modalities[self.bench.name]


@dataclass(frozen=True)
class PluginCase:
    """A whole plugin under test."""

    status: PluginStatus
    registry: Registry
    bench: Callable[[str], Bench]


@dataclass(frozen=True)
class Check:
    """One named check.

    Attributes:
        function: Takes the case; raises ``CheckFailedError`` or ``NotApplicableError``.
        learn: Whether it trains a model.
        applies: Whether it concerns a case; judged without any data.
    """

    function: Callable[[Any], None]
    learn: bool = False
    applies: Callable[[Any], bool] = lambda case: True

    @property
    def name(self) -> str:
        """The suffix of the test id."""
        return self.function.__name__

    @property
    def advice(self) -> str:
        """What to do if it fails: the docstring's last part."""
        return " ".join((self.function.__doc__ or "").partition("If this fails:")[2].split())


def expect(condition: bool, found: str) -> None:
    """Fail the check with what was found, unless the condition holds."""
    if not condition:
        raise CheckFailedError(found)
