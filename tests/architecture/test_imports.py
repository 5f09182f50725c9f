"""Who may import whom, and what must start without torch."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

LIGHT = [
    "mbti_core",
    "mbti_core.errors",
    "mbti_core.cli",
    "mbti_core.plugins.hookspecs",
    "mbti_core.plugins.manager",
    "mbti_core.engine.config",
    "mbti_core.engine.store",
    "mbti_core.results.table",
    *(
        f"mbti_core.contracts.{name}"
        for name in ("attack", "component", "dataset", "defense", "metric", "modality", "model", "noise")
    ),
    *sorted(p.value for p in entry_points(group="mbti")),
]
HEAVY = "{'torch', 'torchvision', 'torchaudio', 'sklearn', 'scipy', 'pyarrow', 'PIL', 'matplotlib'}"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", LIGHT)
def test_what_the_command_line_needs_at_start_imports_no_torch(module: str) -> None:
    done = python(f"import sys, {module}; print(sorted({HEAVY} & set(sys.modules)))")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_listing_every_component_imports_no_torch() -> None:
    listing = "from mbti_core.plugins.manager import Registry; n = len(Registry().components())"
    done = python(f"import sys; {listing}; assert n; print(sorted({HEAVY} & set(sys.modules)))")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_members_import_core_and_nothing_of_each_other(root: Path) -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
