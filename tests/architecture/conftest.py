"""The source files that the architecture tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "packages"
SOURCES = sorted(PACKAGES.glob("*/src/**/*.py"))
NEUTRAL = [p for p in SOURCES if p.relative_to(PACKAGES).parts[0] in ("mbti-core", "mbti-defenses")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``source`` every source file, and ``neutral`` those of core and of the defenses."""
    for name, files in (("source", SOURCES), ("neutral", NEUTRAL)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, files, ids=[p.relative_to(PACKAGES).as_posix() for p in files])


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
