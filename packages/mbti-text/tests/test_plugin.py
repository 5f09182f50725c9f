"""The plugin as core sees it."""

from __future__ import annotations

import subprocess
import sys

from mbti_core.plugins.manager import Registry


def test_the_modality_is_found_through_the_entry_point() -> None:
    registry = Registry()
    assert registry.modalities["text"].name == "text"
    assert [s.error for s in registry.statuses if s.name == "text"] == [""]


def test_the_table_of_contents_imports_no_torch() -> None:
    code = "import sys, mbti_text.plugin; sys.exit('torch' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
